import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseMarkdownPlan } from '../../../../src/bundled/build/markdown-plan.ts'
import { parseYamlPlan } from '../../../../src/bundled/build/yaml-plan.ts'
import { ConfigError } from '../../../../src/errors.ts'

const markdown = (...lines: string[]) => parseMarkdownPlan(lines.join('\n'), '/p/plan.md')
const yaml = (...lines: string[]) => parseYamlPlan(lines.join('\n'), '/p/plan.yaml')

function problemOf(parse: () => unknown): { line: unknown; message: string } {
  try {
    parse()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    const { details, message } = error as ConfigError
    return { line: details.line, message }
  }
  throw new Error('it was taken')
}

describe('a plan in Markdown', () => {
  test('has its commands in blocks and in tasks, titled by what stands above or before them', () => {
    const plan = markdown(
      '# Release',
      'Prose with `code` that is no command.',
      '- [ ] Install: `npm ci`',
      '1. [ ] `npm run lint`',
      '## Build it',
      '```sh',
      'npm run build',
      'npm pack',
      '```',
      '~~~bash',
      'echo more',
      '~~~',
      '- [ ] **Publish** the package',
      '',
      '  ```sh timeout=5m retries=2 cwd=web continueOnError',
      '  npm publish',
      '  ```',
    )
    expect(plan.title).toBe('Release')
    expect(plan.commands).toEqual([
      { name: 'Install', run: 'npm ci' },
      { name: 'npm run lint', run: 'npm run lint' },
      { name: 'Build it', run: 'npm run build\nnpm pack', shell: 'sh' },
      { name: 'Build it (2)', run: 'echo more', shell: 'bash' },
      {
        name: 'Publish the package',
        run: 'npm publish',
        shell: 'sh',
        timeout: '5m',
        retries: 2,
        cwd: 'web',
        continueOnError: true,
      },
    ])
  })

  test('leaves out what is ticked off, comments, and blocks of other languages', () => {
    const plan = markdown(
      '- [x] Fetch: `git fetch`',
      '- [X] Unpack',
      '  ```sh',
      '  tar x',
      '  ```',
      '<!-- - [ ] Old: `rm -rf old`',
      '-->',
      '```json',
      '{}',
      '```',
      '- [ ] Test: `npm test`',
    )
    expect(plan.commands.map(({ run }) => run)).toEqual(['npm test'])
    expect(plan.done).toEqual(['Fetch', 'Unpack'])
  })

  test('keeps a fence inside of a longer fence, and the indentation of a script', () => {
    const plan = markdown('````sh', 'cat <<END', '```', '  inner', '```', 'END', '````')
    expect(plan.commands[0]?.run).toBe('cat <<END\n```\n  inner\n```\nEND')
  })

  test('reads a task over several lines', () => {
    expect(markdown('- [ ] Say', '      it: `echo it`').commands).toEqual([{ name: 'Say it', run: 'echo it' }])
  })

  test.each([
    ['a task without a command', ['# A', '- [ ] Think about it', '## B'], 2, 'has no command'],
    ['a task whose block is not indented', ['- [ ] Build', '```sh', 'make', '```'], 1, 'indented'],
    ['a task with two pieces of code', ['', '- [ ] `a` then `b`'], 2, 'more than one piece of code'],
    ['a block without a language', ['', '```', 'make', '```'], 2, '```sh for a command'],
    ['a block without an end', ['# A', '```sh', 'make'], 2, 'close it with ```'],
    ['an empty block', ['```sh', '', '```'], 1, 'empty'],
    ['a comment without an end', ['<!-- so', '- [ ] `a`'], 1, 'close it with -->'],
    ['an unknown setting', ['', '', '```sh timout=5m', 'make', '```'], 3, "did you mean 'timeout'"],
    ['a timeout that is none', ['```sh timeout=soon', 'make', '```'], 1, 'timeout'],
    ['retries that are no number', ['```sh retries=often', 'make', '```'], 1, 'retries'],
    ['no command at all', ['# A', 'prose'], 1, 'no command'],
    ['nothing left to do', ['- [x] `a`'], 1, 'ticked off'],
  ])('refuses %s, and names the line', (_, lines, line, said) => {
    const problem = problemOf(() => markdown(...lines))
    expect(problem.message).toContain(said)
    expect(problem.line).toBe(line)
    expect(problem.message).toContain(`plan.md:${line}`)
  })

  test('never throws anything but a ConfigError, whatever it is given', () => {
    const piece = fc.constantFrom(
      '```sh',
      '```',
      '~~~',
      '- [ ] ',
      '- [x] a',
      '`a`',
      '# T',
      '<!--',
      '-->',
      '  ',
      'x=1',
      'a',
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(piece, fc.oneof(piece, fc.string())).map(parts => parts.join(' '))), lines => {
        try {
          const { commands } = markdown(...lines)
          expect(commands.length).toBeGreaterThan(0)
          for (const { run } of commands) expect(run.trim()).not.toBe('')
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError)
        }
      }),
    )
  })
})

describe('a plan in YAML', () => {
  test('is a list of commands, or an object that has it as steps', () => {
    const commands = [{ run: 'npm ci' }, { name: 'Test', run: 'npm test', timeout: '5m', retries: 1 }]
    expect(yaml('- npm ci', '- { name: Test, run: npm test, timeout: 5m, retries: 1 }').commands).toEqual(commands)
    expect(
      yaml(
        'name: Release',
        'timeout: 1h',
        'env: { A: 1 }',
        'steps:',
        '  - npm ci',
        '  - name: Test',
        '    run: npm test',
        '    timeout: 5m',
        '    retries: 1',
      ),
    ).toEqual({ title: 'Release', defaults: { timeout: '1h', env: { A: 1 } }, commands, done: [] })
  })

  test('may be JSON', () => {
    expect(yaml('{"steps":["a"]}').commands).toEqual([{ run: 'a' }])
  })

  test.each([
    ['what is no YAML', ['- a', '- {b'], 2, 'no YAML'],
    ['an unknown key', ['- run: a', '- run: b', '  timout: 1'], 3, "did you mean 'timeout'"],
    ['a command without its text', ['- run: a', '- name: b'], 2, 'run: must be the text'],
    ['an empty command', ['- run: ""'], 1, 'must not be empty'],
    ['a timeout beyond a day', ['steps:', '  - run: a', '    timeout: 2d'], 3, 'between 1 ms and 24 h'],
    ['a variable of a wrong name', ['- run: a', '  env:', '    A-B: 1'], 3, 'name of a variable'],
    ['the same key twice', ['- run: a', '  run: b'], 2, 'no YAML'],
    ['no list', ['steps: 3'], 1, 'must be a list'],
    ['an empty list', ['steps: []'], 1, 'at least one command'],
    ['nothing', [''], 1, 'must be a list'],
  ])('refuses %s, and names the line', (_, lines, line, said) => {
    const problem = problemOf(() => yaml(...lines))
    expect(problem.message).toContain(said)
    expect(problem.line).toBe(line)
  })

  test('never throws anything but a ConfigError, whatever it is given', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), text => {
        try {
          expect(yaml(text).commands.length).toBeGreaterThan(0)
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError)
        }
      }),
    )
  })
})
