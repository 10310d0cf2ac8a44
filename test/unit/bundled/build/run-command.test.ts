import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { PlannedCommand } from '../../../../src/bundled/build/plan.ts'
import { type CommandContext, failedResultOf, runCommand } from '../../../../src/bundled/build/run-command.ts'
import { emptyProject, isAlive, neverAborted } from '../project.ts'

const command = (run: string, more: Partial<PlannedCommand> = {}): PlannedCommand => ({
  key: '1-it',
  title: 'It',
  run,
  shell: 'sh',
  directory: process.cwd(),
  timeoutMs: 20_000,
  retries: 0,
  continueOnError: false,
  env: {},
  ...more,
})

const context = (more: Partial<CommandContext> = {}): CommandContext => ({
  runId: 'r',
  stage: 'commands[1-it]',
  idempotencyKey: 'r/k',
  signal: neverAborted,
  environment: [],
  onSlow: () => {},
  ...more,
})

const failure = (thrown: Promise<unknown>): Promise<Error> =>
  thrown.then(
    () => expect.fail('it succeeded'),
    error => error,
  )

describe('a command of a plan', () => {
  test('gives its output and knows its run, its stage and its key', async () => {
    const run = 'echo "$HOLDFAST_RUN_ID $HOLDFAST_STAGE $HOLDFAST_IDEMPOTENCY_KEY $OWN"; echo aside >&2'
    expect(await runCommand(command(run, { env: { OWN: 'own' } }), context())).toEqual({
      key: '1-it',
      title: 'It',
      status: 'succeeded',
      exitCode: 0,
      stdout: 'r commands[1-it] r/k own\n',
      stderr: 'aside\n',
    })
  })

  test('stops at the first line that fails, with its exit code and what it said', async () => {
    const error = await failure(runCommand(command('echo first\necho broken >&2\n(exit 7)\necho never'), context()))
    expect(error.message).toBe("'It' ended with exit code 7:\nbroken")
    expect(failedResultOf(error)).toMatchObject({
      status: 'failed',
      exitCode: 7,
      stdout: 'first\n',
      stderr: 'broken\n',
    })
  })

  test('that hangs is killed with all it started', async () => {
    const directory = await emptyProject()
    const error = await failure(
      runCommand(command('sleep 60 & echo $! > pid; wait', { directory, timeoutMs: 300 }), context()),
    )
    expect(error.message).toContain('did not end within 300ms and was killed')
    const pid = Number(await readFile(join(directory, 'pid'), 'utf8'))
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false))
  })

  test('is warned about at half of its time', async () => {
    const onSlow = vi.fn()
    await failure(runCommand(command('sleep 60', { timeoutMs: 200 }), context({ onSlow })))
    expect(onSlow).toHaveBeenCalledWith("'It' still runs after half of its 200ms")
  })

  test('of a shell that is not there says so', async () => {
    vi.stubEnv('PATH', '/nowhere')
    try {
      const error = await failure(runCommand(command('true', { shell: 'bash' }), context()))
      expect(error.message).toContain('could not be started')
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('of a directory that is not there says so', async () => {
    const error = await failure(runCommand(command('true', { directory: '/nowhere/at/all' }), context()))
    expect(error.message).toBe("'It' cannot run: its directory /nowhere/at/all is not there")
  })

  test('keeps the end of a long output, without colours', async () => {
    const run = 'i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i+1)); done; printf "\\033[31mred\\033[0m\\n"'
    const { stdout } = await runCommand(command(run), context())
    expect(stdout.length).toBeLessThanOrEqual(4001)
    expect(stdout).toMatch(/^…\nline \d+\n/)
    expect(stdout.endsWith('line 1999\nred\n')).toBe(true)
  })

  test('gets no secret unless it is named, and never gives one back', async () => {
    vi.stubEnv('DEPLOY_TOKEN', 'hunter2-hunter2')
    try {
      const run = 'echo "got $DEPLOY_TOKEN."; echo "password=swordfish99"'
      expect((await runCommand(command(run), context())).stdout).toBe('got .\npassword=[masked]\n')
      const { stdout } = await runCommand(command(run), context({ environment: ['DEPLOY_TOKEN'] }))
      expect(stdout).toBe('got [masked].\npassword=[masked]\n')
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('that is to have a variable which is not set does not run', async () => {
    const error = await failure(runCommand(command('true'), context({ environment: ['NOT_SET_AT_ALL'] })))
    expect(error.message).toContain('the variable NOT_SET_AT_ALL')
  })
})
