import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { build } from '../../../../src/bundled/build/build.ts'
import { createRuntime, type Runtime } from '../../../../src/index.ts'
import { isAlive, projectOf } from '../project.ts'

let runtime: Runtime | undefined
afterEach(async () => {
  await runtime?.close()
  runtime = undefined
})

async function start(path: string, input: object = {}) {
  runtime = await createRuntime({ store: ':memory:', logger: false, mode: 'minimal', workflows: [build] })
  return runtime.start(build, { path, ...input }, { id: 'b' })
}

const lines = async (path: string): Promise<string[]> => (await readFile(path, 'utf8')).trim().split('\n')

describe('a build', () => {
  test('runs its commands one after the other and tells what became of each', async () => {
    const path = await projectOf({
      'plan.yaml':
        'name: Three\nsteps:\n  - echo 1 >> log\n  - { name: Lint, run: "echo 2 >> log; exit 4", continueOnError: true }\n  - echo 3 >> log\n',
    })
    const result = await (await start(path)).result()
    expect(result.success && result.output).toMatchObject({
      plan: 'Three',
      commands: [
        { key: '1-echo-1-log', status: 'succeeded' },
        { key: '2-lint', status: 'failed', exitCode: 4 },
        { key: '3-echo-3-log', status: 'succeeded' },
      ],
      report: expect.stringContaining('| 2 Lint | ended with exit code 4 |'),
    })
    expect(result.degraded).toEqual([
      { stage: 'commands[2-lint]', reason: "'Lint' ended with exit code 4; the plan says to go on" },
    ])
    expect(await lines(join(path, 'log'))).toEqual(['1', '2', '3'])
  })

  test('ends at the first command that fails, and a retry goes on from it', async () => {
    const path = await projectOf({
      'plan.yaml': '- echo 1 >> log\n- test -f mended && echo 2 >> log\n- echo 3 >> log\n',
    })
    const run = await start(path)
    const failed = await run.result()
    expect(failed).toMatchObject({
      status: 'failed',
      error: { stage: 'commands[2-test-f-mended-echo-2-log]', message: expect.stringContaining('exit code 1') },
      attempts: expect.anything(),
    })
    expect(await lines(join(path, 'log'))).toEqual(['1'])

    await writeFile(join(path, 'mended'), '')
    await runtime?.retry('b')
    expect(await run.result()).toMatchObject({ status: 'completed' })
    expect(await lines(join(path, 'log'))).toEqual(['1', '2', '3'])
  })

  test('tries a command again as often as its plan says, by the same key', async () => {
    const path = await projectOf({
      'plan.yaml': '- run: echo "$HOLDFAST_IDEMPOTENCY_KEY" >> log; test $(wc -l < log) -ge 3\n  retries: 2\n',
    })
    expect(await (await start(path)).result()).toMatchObject({ status: 'completed' })
    const keys = await lines(join(path, 'log'))
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
  })

  test('that is cancelled kills the command that is under way, and what it started', async () => {
    const path = await projectOf({ 'plan.yaml': '- sleep 60 & echo $! > pid; wait\n- echo never > never\n' })
    const run = await start(path)
    const pid = await vi.waitFor(
      async () => Number((await lines(join(path, 'pid')))[0]) || Promise.reject(new Error('not yet')),
    )
    await run.cancel('enough')
    expect(await run.result()).toMatchObject({ status: 'cancelled' })
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false))
    await expect(readFile(join(path, 'never'))).rejects.toThrow('ENOENT')
  })

  test('that is paused kills the command that is under way, and runs it again when it goes on', async () => {
    const path = await projectOf({
      'plan.yaml': '- echo "$HOLDFAST_IDEMPOTENCY_KEY $$" >> log; test $(wc -l < log) -gt 1 || sleep 60\n',
    })
    const run = await start(path)
    const read = async () => (await lines(join(path, 'log'))).map(line => line.split(' '))
    const [[, pid] = []] = await vi.waitFor(read)
    await run.pause('lunch')
    await vi.waitFor(() => expect(isAlive(Number(pid))).toBe(false))
    await run.resume()
    expect(await run.result()).toMatchObject({ status: 'completed' })
    const keys = (await read()).map(([key]) => key)
    expect(keys).toHaveLength(2)
    expect(new Set(keys).size).toBe(1)
  })

  test('keeps to the plan as it was when the build began', async () => {
    const path = await projectOf({
      'plan.yaml': '- "echo \\"- echo changed >> log\\" > plan.yaml; echo 1 >> log"\n- exit 1\n',
    })
    const run = await start(path)
    expect(await run.result()).toMatchObject({ status: 'failed' })
    await runtime?.retry('b')
    expect(await run.result()).toMatchObject({ status: 'failed', error: { stage: 'commands[2-exit-1]' } })
    expect(await lines(join(path, 'log'))).toEqual(['1'])
  })

  test('of a plan that cannot be read fails at once, with its line', async () => {
    const path = await projectOf({ 'plan.md': '# Plan\n\n- [ ] Think\n' })
    expect(await (await start(path)).result()).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: {
        type: 'config',
        code: 'invalid_config',
        stage: 'plan',
        message: expect.stringMatching(/plan\.md:3: .*no command/),
      },
    })
  })
})
