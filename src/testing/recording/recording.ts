/**
 * A run as it was recorded, as data: what it was given, what its models answered and how they failed, what its steps and
 * waits gave, how each execution of a stage ended. Of it the run can be replayed without the world: `replayRun`.
 */
import { z } from 'zod'
import { type EncodedError, OptionsError } from '../../errors.ts'
import { describeIssue } from '../../options.ts'
import { parseFault } from '../chaos/fault.ts'
import type { RecordedFault } from '../chaos/fault-source.ts'

const error = z.custom<EncodedError>(isError, 'must be an error, with its name and message')
const ms = z.number().min(0)
const answer = z.looseObject({ text: z.string() })
const given = z.object({ value: z.unknown().optional() })
const failed = z.object({ error })

/** One try of a model call: the answer, or how it failed; and how long it took. */
const tried = z.union([z.object({ ms, answer }), z.object({ ms, error })])
const stepped = z.union([z.object({ ms, ...failed.shape }), z.object({ ms, ...given.shape })])
/** One execution of the function of a stage; without an end the process ended first. */
const executed = z.object({
  attempt: z.int(),
  incarnation: z.int(),
  ms: ms.optional(),
  end: z.union([failed, given]).optional(),
})

const of = <T extends z.ZodType>(what: T) => z.record(z.string(), z.record(z.string(), z.array(what)))

const stageEnd = z.object({ status: z.string(), failures: z.int() })
const outcomeSchema = z.object({
  status: z.string(),
  error: z
    .object({ code: z.string().optional(), name: z.string(), message: z.string(), stage: z.string().optional() })
    .optional(),
  output: z.unknown().optional(),
  /** By stage and item: how it stands, and how many of its attempts failed. */
  stages: z.record(z.string(), stageEnd),
})

const runSchema = z.object({
  id: z.string(),
  workflow: z.string(),
  version: z.string(),
  /** By stage, then by the key in its ledger. */
  calls: of(tried),
  steps: of(stepped),
  /** The payloads of the signals that came, by stage and key; of a wait that timed out there is none. */
  waits: z.record(z.string(), z.record(z.string(), given)),
  /** What a machine of one's own was sent, with the time since the start. */
  events: z.array(z.object({ ms, name: z.string(), payload: z.unknown().optional() })),
  executions: z.record(z.string(), z.array(executed)),
})

const recordingSchema = z.object({
  format: z.literal(1),
  id: z.string(),
  input: z.unknown().optional(),
  /** The options of `start`. */
  start: z.record(z.string(), z.unknown()),
  models: z.array(z.object({ provider: z.string(), model: z.string(), tier: z.enum(['cheap', 'capable', 'premium']) })),
  /** The run itself, and then its children. */
  runs: z.array(runSchema).min(1),
  /** What was injected on purpose. */
  faults: z.array(z.custom<RecordedFault>(isFault, 'must be a recorded fault')),
  outcome: outcomeSchema,
})

export type RunRecording = z.infer<typeof recordingSchema>
export type RecordedRun = z.infer<typeof runSchema>
export type RunOutcome = z.infer<typeof outcomeSchema>
export type RecordedTry = z.infer<typeof tried>
export type RecordedStep = z.infer<typeof stepped>
export type RecordedExecution = z.infer<typeof executed>

function isError(value: unknown): boolean {
  const { name, message } = (value ?? {}) as { name?: unknown; message?: unknown }
  return typeof name === 'string' && typeof message === 'string'
}

function isFault(value: unknown): boolean {
  const { at, fault } = (value ?? {}) as { at?: unknown; fault?: unknown }
  return at !== null && typeof at === 'object' && parseFault(fault) !== undefined
}

/** @throws OptionsError that says where it is not of the form of a recording */
export function parseRecording(value: unknown): RunRecording {
  const parsed = recordingSchema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new OptionsError(
    `replayRun: this is no recording of a run: ${describeIssue(parsed.error.issues[0] as z.core.$ZodIssue)}`,
  )
}
