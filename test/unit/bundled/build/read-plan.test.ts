import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { buildInputSchema, readPlan } from '../../../../src/bundled/build/read-plan.ts'
import { projectOf } from '../project.ts'

const read = (input: object) => readPlan(buildInputSchema.parse(input))

describe('the plan of a build', () => {
  test('is found in the directory by its usual name, and numbered', async () => {
    const path = await projectOf({ 'plan.yaml': '- echo one\n- { name: "Two: ½ & é", run: echo two, cwd: web }\n' })
    expect(await read({ path })).toEqual({
      title: 'plan.yaml',
      done: [],
      commands: [
        {
          key: '1-echo-one',
          title: 'echo one',
          run: 'echo one',
          shell: 'sh',
          directory: path,
          timeoutMs: 1_800_000,
          retries: 0,
          continueOnError: false,
          env: {},
        },
        expect.objectContaining({ key: '2-two-½-é', title: 'Two: ½ & é', directory: join(path, 'web') }),
      ],
    })
  })

  test('is named relative to the directory, or is the path itself', async () => {
    const path = await projectOf({ 'plans/release.md': '- [ ] `a`' })
    expect((await read({ path, plan: 'plans/release.md' })).commands[0]?.directory).toBe(path)
    expect((await read({ path: join(path, 'plans/release.md') })).commands[0]?.directory).toBe(join(path, 'plans'))
  })

  test('says of each command what it says itself, else the plan, else the input', async () => {
    const path = await projectOf({
      'a.yaml':
        'timeout: 2m\nretries: 1\nenv: { A: 1, B: x }\nsteps:\n  - a\n  - { run: b, timeout: 3s, retries: 0, env: { B: y } }\n',
      'b.yaml': '- a\n',
    })
    const [first, second] = (await read({ path, plan: 'a.yaml', timeout: '9m' })).commands
    expect(first).toMatchObject({ timeoutMs: 120_000, retries: 1, env: { A: '1', B: 'x' } })
    expect(second).toMatchObject({ timeoutMs: 3000, retries: 0, env: { A: '1', B: 'y' } })
    expect((await read({ path, plan: 'b.yaml', timeout: '9m' })).commands[0]).toMatchObject({ timeoutMs: 540_000 })
  })

  test('has keys that sort as its commands run', async () => {
    const path = await projectOf({ 'plan.yaml': Array.from({ length: 120 }, () => '- same\n').join('') })
    const keys = (await read({ path })).commands.map(({ key }) => key)
    expect(new Set(keys).size).toBe(120)
    expect([...keys].sort()).toEqual(keys)
  })

  test('has keys that a store can keep, whatever characters the titles have', async () => {
    const path = await projectOf({ 'plan.yaml': `- { name: "a${'𠮷'.repeat(60)}", run: x }\n` })
    const [command] = (await read({ path })).commands
    expect(command?.key).toBe(`1-a${'𠮷'.repeat(39)}`)
  })

  test.each([
    ['a directory without a plan', {}, {}, 'file_not_found', 'has no plan'],
    ['a plan that is not there', {}, { plan: 'x.md' }, 'file_not_found', 'does not exist'],
    ['a path that is not there', {}, { path: 'nowhere' }, 'file_not_found', 'does not exist'],
    ['a directory as the plan', { 'sub.md/a': '' }, { plan: 'sub.md' }, 'file_not_found', 'is no file'],
    ['another kind of file', { 'plan.txt': 'a' }, { plan: 'plan.txt' }, 'invalid_config', 'neither Markdown'],
    ['what is no text', { 'plan.md': '- [ ] `a\u0000`' }, {}, 'invalid_config', 'no text'],
    ['a plan that is too long', { 'plan.yaml': '- a\n'.repeat(1001) }, {}, 'invalid_config', 'at most 1000'],
    ['a file that is too large', { 'plan.md': ' '.repeat(1_000_001) }, {}, 'invalid_config', 'bytes'],
  ])('is refused for %s', async (_, files, input: { path?: string; plan?: string }, code, said) => {
    const root = await projectOf(files)
    const error = await read({ ...input, path: join(root, input.path ?? '.') }).catch(thrown => thrown)
    expect(error).toMatchObject({ name: 'ConfigError', code })
    expect(error.message).toContain(said)
  })
})
