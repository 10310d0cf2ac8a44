/**
 * Whole runs over a real wire: a workflow of model calls, a runtime with its store in memory, providers over HTTP to
 * servers of the test. Time is the real one; what a test expects of it is that something took no less than it should.
 */
import { onTestFinished } from 'vitest'
import { createRuntime } from '../../src/index.ts'
import { anthropic } from '../../src/providers/anthropic.ts'
import type { HttpOptions } from '../../src/providers/http-options.ts'
import { openaiCompatible } from '../../src/providers/openai-compatible.ts'
import type { Model, Provider } from '../../src/providers/provider.ts'
import { defineProfile, type ProfileOptions } from '../../src/resilience/define-profile.ts'
import type { RunResult, RuntimeOptions, StartOptions } from '../../src/runtime/api.ts'
import type { OperatedRuntime } from '../../src/runtime/operations/operations-api.ts'
import type { JournalEvent } from '../../src/telemetry/catalogue.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'
import type { StageContext } from '../../src/workflow/stage-context.ts'

const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 1 }

export const pricedModel = (id: string, more: Partial<Model> = {}): Model => ({ id, tier: 'capable', price, ...more })

type WireOptions = HttpOptions & { readonly id?: string; readonly models?: readonly Model[] }

/** Makes a provider of each dialect, for a server at the address. */
export const dialects = {
  openai: (url: string, options: WireOptions = {}): Provider =>
    openaiCompatible({ id: 'openai', baseURL: `${url}/v1`, apiKey: 'k', models: [pricedModel('m')], ...options }),
  anthropic: (url: string, options: WireOptions = {}): Provider =>
    anthropic({ baseURL: url, apiKey: 'k', models: [pricedModel('m')], ...options }),
} as const

/** Tries again at once, so that only what the other side asks for takes time. */
export const hasty = (options: ProfileOptions = {}) =>
  defineProfile({
    extends: 'balanced',
    ...options,
    retry: { max: 3, backoff: { kind: 'fixed', base: 1, max: 1, jitter: 0 }, ...options.retry },
  })

export interface WireRun {
  readonly result: RunResult
  readonly journal: readonly JournalEvent[]
  /** The data of the events of a type. */
  of(type: JournalEvent['type']): readonly Readonly<Record<string, unknown>>[]
}

/** A runtime that the test need not close. */
export async function wireRuntime(providers: readonly Provider[], options: RuntimeOptions = {}) {
  const runtime = await createRuntime({ store: ':memory:', logger: false, mode: 'minimal', providers, ...options })
  onTestFinished(() => runtime.close({ grace: 0 }))
  return runtime
}

/** Runs one stage to its end. */
export async function runStage(
  runtime: OperatedRuntime,
  work: (context: StageContext) => unknown,
  profile: ReturnType<typeof hasty> = hasty(),
  start: StartOptions = {},
): Promise<WireRun> {
  const workflow = defineWorkflow({ name: 'wire', version: '1', profile }).stage('ask', context =>
    work(context as unknown as StageContext),
  )
  const run = await runtime.start(workflow, undefined, start)
  const result = await run.result()
  const journal: JournalEvent[] = []
  for await (const event of run.events()) journal.push(event)
  return { result, journal, of: type => journal.filter(event => event.type === type).map(({ data }) => data) }
}

export const generate =
  (prompt = 'hello') =>
  ({ model }: StageContext) =>
    model.generate({ prompt })

/** Asks for a stream and takes only its end. */
export const streamUnread =
  (prompt = 'hello') =>
  ({ model }: StageContext) =>
    model.stream({ prompt }).result

/** Reads a stream piece by piece. */
export const streamRead =
  (prompt = 'hello') =>
  async ({ model }: StageContext) => {
    const stream = model.stream({ prompt })
    let text = ''
    for await (const piece of stream) text += piece
    return { text, whole: (await stream.result).text }
  }
