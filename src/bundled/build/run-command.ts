/**
 * Runs one command of a plan: by a shell that stops at the first line that fails, as a process group of its own that is
 * killed as one when its time is up, when the build is cancelled or paused, and when Holdfast itself dies. What it
 * printed is kept from its end, without colours and secrets.
 */
import { stat } from 'node:fs/promises'
import { stripVTControlCharacters } from 'node:util'
import { z } from 'zod'
import { childEnvironment, variablesNamed } from '../../config/child-environment.ts'
import { secretValues } from '../../config/secret-values.ts'
import { StageError } from '../../errors.ts'
import { formatMs } from '../../time/duration.ts'
import { maskSecrets } from '../masking.ts'
import { type ProcessEnd, runProcess } from '../processes/run-process.ts'
import type { PlannedCommand } from './plan.ts'

/** Kept of stdout and of stderr, each, in characters. */
const keptOutput = 4000
/** Of the output, what an error says. */
const toldLines = 20

export const commandResultSchema = z.object({
  key: z.string(),
  title: z.string(),
  status: z.enum(['succeeded', 'failed', 'skipped']),
  exitCode: z.number().nullable(),
  /** Unless it succeeded: what became of it. */
  reason: z.string().optional(),
  stdout: z.string(),
  stderr: z.string(),
})

export type CommandResult = z.output<typeof commandResultSchema>

export interface CommandContext {
  readonly runId: string
  readonly stage: string
  readonly idempotencyKey: string
  readonly signal: AbortSignal
  /** Names of variables that it gets although they look like secrets. */
  readonly environment: readonly string[]
  readonly onSlow: (message: string) => void
}

/** @throws StageError with the exit code and the end of the output, unless the command ended with 0 */
export async function runCommand(command: PlannedCommand, context: CommandContext): Promise<CommandResult> {
  const { key, title, run, shell, directory, timeoutMs } = command
  const given = variablesNamed(context.environment)
  const missing = context.environment.find(name => given[name] === undefined)
  if (missing !== undefined)
    throw new StageError(`'${title}' cannot run: the variable ${missing} that it is to be given is not set`)
  await ensureDirectory(command)
  const end = await runProcess({
    command: shell,
    args: ['-e', '-c', run],
    cwd: directory,
    env: {
      ...childEnvironment(),
      ...given,
      ...command.env,
      HOLDFAST_RUN_ID: context.runId,
      HOLDFAST_STAGE: context.stage,
      HOLDFAST_IDEMPOTENCY_KEY: context.idempotencyKey,
    },
    timeoutMs,
    signal: context.signal,
    outputLimit: keptOutput * 2,
    onSlow: () => context.onSlow(`'${title}' still runs after half of its ${formatMs(timeoutMs)}`),
  })
  const result = { key, title, exitCode: end.exitCode, stdout: keep(end.stdout), stderr: keep(end.stderr) }
  if (end.end === 'exited' && end.exitCode === 0) return { ...result, status: 'succeeded' }
  throw new StageError(failureText(title, reasonOf(end, timeoutMs), result), {
    result: { ...result, status: 'failed', reason: reasonOf(end, timeoutMs) },
  })
}

/** What a failed command left, from the error that it was thrown as; undefined for any other error. */
export function failedResultOf(error: unknown): CommandResult | undefined {
  const { details } = (error ?? {}) as { details?: { result?: unknown } }
  return commandResultSchema.safeParse(details?.result).data
}

async function ensureDirectory({ title, directory }: PlannedCommand): Promise<void> {
  if (
    await stat(directory).then(
      stats => stats.isDirectory(),
      () => false,
    )
  )
    return
  throw new StageError(`'${title}' cannot run: its directory ${directory} is not there`)
}

function reasonOf({ end, exitCode, error }: ProcessEnd, timeoutMs: number): string {
  if (end === 'timeout') return `did not end within ${formatMs(timeoutMs)} and was killed`
  if (end === 'not-started') return `could not be started: ${error ?? 'the shell refused it'}`
  return end === 'signalled' ? 'was ended by a signal' : `ended with exit code ${exitCode}`
}

function failureText(title: string, reason: string, { stdout, stderr }: { stdout: string; stderr: string }): string {
  const output = (stderr.trim() || stdout.trim()).split('\n').slice(-toldLines).join('\n')
  return output === '' ? `'${title}' ${reason}, and said nothing` : `'${title}' ${reason}:\n${output}`
}

/** The whole is masked before it is cut: half a secret has no form to know it by. */
function keep(output: string): string {
  let text = maskSecrets(stripVTControlCharacters(output))
  for (const secret of secretValues()) text = text.replaceAll(secret, '[masked]')
  if (text.length <= keptOutput) return text
  const kept = text.slice(-keptOutput)
  return `…${kept.slice(Math.max(0, kept.indexOf('\n')))}`
}
