/**
 * `replayRun`: a recorded run once more, on the real runtime with the real code of its workflow, but without the world.
 * Models answer and steps give what was recorded, what was injected on purpose is injected again, and the time between
 * passes at once. What a stage does by itself with the network or the disk is refused: what was recorded of that
 * execution stands in for it.
 */
import { z } from 'zod'
import { decodeError, type EncodedError, OptionsError } from '../../errors.ts'
import { parseOptions } from '../../options.ts'
import { loadPriceList } from '../../providers/price-list.ts'
import type { Run, Runtime, RuntimeOptions } from '../../runtime/api.ts'
import { createRuntime } from '../../runtime/create-runtime.ts'
import { isEnded } from '../../store/store.ts'
import { formatMs } from '../../time/duration.ts'
import { seededRandom } from '../../time/random.ts'
import { type AnyWorkflow, isWorkflow } from '../../workflow/definition.ts'
import type { StageContext, StepContext } from '../../workflow/stage-context.ts'
import { absentRemedies } from '../absent-remedies.ts'
import { InjectedChaos } from '../chaos/chaos.ts'
import { recordedFaults } from '../chaos/fault-source.ts'
import { Guarantees } from '../simulator/guarantees.ts'
import { closeOutsideWorld } from '../simulator/outside-world.ts'
import { inPlace, type Place } from '../simulator/place.ts'
import { SimulatedDisk } from '../simulator/simulated-disk.ts'
import { SimulatedProcess } from '../simulator/simulated-process.ts'
import { simulatedProviders } from '../simulator/simulated-providers.ts'
import { SimulatedTime, type Turns } from '../simulator/simulated-time.ts'
import { WatchedWorkflows } from '../simulator/watched-workflow.ts'
import { type JournalEntry, outcomeOf } from './outcome.ts'
import { recordedProviders } from './recorded-providers.ts'
import { parseRecording, type RecordedRun, type RunOutcome, type RunRecording } from './recording.ts'

export interface ReplayOptions {
  /**
   * What becomes of a model call of which the recording has no answer: it fails, or is answered as in a simulation.
   * @default 'fail'
   */
  readonly unrecorded?: 'fail' | 'simulate' | undefined
}

const optionsSchema = z.strictObject({ unrecorded: z.enum(['fail', 'simulate']).optional() })

export interface ReplayedRun extends RunOutcome {
  /** Model calls of which the recording has no answer, as run, stage and key. */
  readonly unrecorded: readonly string[]
  /** Executions that reached out by themselves, and what was recorded stood in for them. */
  readonly standIns: readonly string[]
  /** What was injected, in words. */
  readonly injected: readonly string[]
  /** What happened, with the time since the start. */
  readonly trace: readonly string[]
  readonly journal: readonly JournalEntry[]
}

/** More lives than that a run that was killed on purpose does not have. */
const mostLives = 50
const aYearMs = 365 * 24 * 3_600_000

/**
 * Replays a recorded run with the workflow as it is now.
 * @throws OptionsError for what is no recording, or one of another workflow
 */
export async function replayRun(
  workflow: AnyWorkflow,
  recording: RunRecording | object,
  options: ReplayOptions = {},
): Promise<ReplayedRun> {
  const given = parseOptions(optionsSchema, options, 'replayRun options')
  if (!isWorkflow(workflow)) throw new OptionsError('replayRun: the first argument must be a workflow')
  const parsed = parseRecording(recording)
  const [root] = parsed.runs as [RecordedRun]
  if (root.workflow !== workflow.name) {
    throw new OptionsError(`replayRun: the recording is of workflow '${root.workflow}', and this is '${workflow.name}'`)
  }
  // Loaded before the time stands still.
  await loadPriceList().catch(() => {})
  const world = closeOutsideWorld()
  try {
    return await new Replay(workflow, parsed, world, given.unrecorded ?? 'fail').run()
  } finally {
    world.release()
  }
}

class Replay {
  readonly #workflow: AnyWorkflow
  readonly #recording: RunRecording
  readonly #unrecordedCalls: 'fail' | 'simulate'
  readonly #time: SimulatedTime
  readonly #disk: SimulatedDisk
  readonly #watch: Guarantees
  readonly #chaos: InjectedChaos
  readonly #random = seededRandom(1)
  readonly #runs: ReadonlyMap<string, RecordedRun>
  readonly #children = new Set<AnyWorkflow>()
  readonly #unrecorded = new Set<string>()
  readonly #standIns = new Set<string>()
  /** Executions that reached out, with what they did. */
  readonly #reached = new Map<StageContext, string>()
  readonly #stepsLeft = new Map<string, RecordedRun['steps'][string][string]>()
  readonly #signalled = new Set<string>()
  readonly #trace: string[] = []
  readonly #startedAt: number
  #process: SimulatedProcess | undefined
  #areEventsSent = false
  /** Signals that are on their way. */
  #signals = 0

  constructor(workflow: AnyWorkflow, recording: RunRecording, turns: Turns, unrecorded: 'fail' | 'simulate') {
    this.#workflow = workflow
    this.#recording = recording
    this.#unrecordedCalls = unrecorded
    this.#time = new SimulatedTime(turns)
    this.#startedAt = this.#time.now
    this.#watch = new Guarantees({ note: what => this.#note(what), ending: () => {} })
    this.#disk = new SimulatedDisk(this.#time, () => 0, this.#watch)
    this.#runs = new Map(recording.runs.map(run => [run.id, run]))
    const onFault = ({ text }: { readonly text: string }): void => this.#note(`injected: ${text}`)
    const kill = (): void => this.#process?.die('on purpose')
    this.#chaos = new InjectedChaos(recordedFaults(recording.faults), { seed: 0 }, { onFault, kill })
    for (const { id, steps } of recording.runs) {
      for (const [stage, byKey] of Object.entries(steps)) {
        for (const [key, gave] of Object.entries(byKey)) this.#stepsLeft.set(`${id}/${stage}/${key}`, [...gave])
      }
    }
  }

  run(): Promise<ReplayedRun> {
    return inPlace(this.#place(undefined), () => this.#run())
  }

  async #run(): Promise<ReplayedRun> {
    for (let life = 1; life <= mostLives; life++) {
      const process = this.#launch(life)
      await this.#time.passUntil(() => process.isOver || this.#isAtRest(process), aYearMs)
      if (!process.isOver) break
      if (!process.failure) continue
      process.die('after it has failed')
      if (!isOnPurpose(process.failure)) throw process.failure
    }
    const { id } = this.#recording
    const row = await this.#disk.base.readRun(id)
    const journal = (await this.#disk.journal(id)).map(
      (entry): JournalEntry => ({
        ...entry,
        data: JSON.parse(entry.data) as Record<string, unknown>,
      }),
    )
    await this.#close()
    const result = row?.outcome ? (JSON.parse(row.outcome) as { output?: unknown }) : undefined
    return {
      ...outcomeOf(journal, { status: row?.status ?? 'pending', output: result?.output }),
      unrecorded: [...this.#unrecorded],
      standIns: [...this.#standIns],
      injected: this.#chaos.injected.map(({ text }) => text),
      trace: [...this.#trace, ...(row && isEnded(row.status) ? [`the run is ${row.status}`] : [])],
      journal,
    }
  }

  #isAtRest({ heard }: SimulatedProcess): boolean {
    return heard.size > 0 || (this.#signals === 0 && this.#watch.isAtRest(this.#recording.id))
  }

  async #close(): Promise<void> {
    const process = this.#process
    process?.close()
    await this.#time.passUntil(() => process?.isOver ?? true, aYearMs)
  }

  #launch(number: number): SimulatedProcess {
    const watched = this.#watched(() => process)
    const watch = (workflow: AnyWorkflow): AnyWorkflow => watched.of(workflow)
    const process: SimulatedProcess = new SimulatedProcess({
      number,
      time: this.#time,
      disk: this.#disk,
      death: () => undefined,
      open: options => this.#open(options, watch),
      begin: async runtime => [await this.#begin(runtime, watch)],
      heard: () => {},
      note: what => this.#note(what),
      left: () => {},
    })
    this.#process = process
    process.launch()
    return process
  }

  #open(options: RuntimeOptions, watch: (workflow: AnyWorkflow) => AnyWorkflow): Promise<Runtime> {
    const time = this.#time
    const simulated = simulatedProviders({
      time,
      random: this.#random,
      answers: undefined,
      rate: () => 0,
      asked: () => true,
      failed: () => {},
      charged: () => {},
      askedTooSoon: () => {},
    })[0]
    const workflows = [this.#workflow, ...this.#children].map(watch)
    return createRuntime({
      ...options,
      remedies: absentRemedies(workflows),
      random: this.#random,
      mode: 'minimal',
      chaos: this.#chaos,
      workflows,
      providers: recordedProviders({
        recording: this.#recording,
        pass: (ms, signal) => pass(time, ms, signal),
        unrecorded: call => void this.#unrecorded.add(call),
        others: this.#unrecordedCalls === 'simulate' ? simulated?.generate : undefined,
      }),
    })
  }

  async #begin(runtime: Runtime, watch: (workflow: AnyWorkflow) => AnyWorkflow): Promise<Run<unknown>> {
    const { id, input, start } = this.#recording
    const run = await runtime.start(watch(this.#workflow) as never, input as never, { ...start, id, cwd: '/replayed' })
    if (!this.#areEventsSent) for (const recorded of this.#recording.runs) this.#sendEvents(recorded)
    this.#areEventsSent = true
    return run
  }

  /** A machine of one's own is sent what it was sent, as long after its start. */
  #sendEvents({ id, events }: RecordedRun): void {
    for (const { ms, name, payload } of events) {
      this.#send(ms, id, name, payload)
    }
  }

  #send(afterMs: number, runId: string, name: string, payload: unknown): void {
    this.#signals++
    this.#time.after(afterMs, () => {
      this.#note(`signal ${name} to run ${runId}`)
      Promise.resolve(this.#process?.runtime?.get(runId))
        .then(run => run?.signal(name, payload))
        .catch((error: Error) => this.#note(`signal ${name} to run ${runId} is refused: ${error.message}`))
        .finally(() => this.#signals--)
    })
  }

  #watched(process: () => SimulatedProcess): WatchedWorkflows {
    return new WatchedWorkflows({
      random: () => 0,
      standIns: {},
      place: execution => this.#place(execution),
      stepBegins: () => !process().isDead,
      childStarts: workflow => void this.#children.add(workflow),
      executionBegins: () => () => {},
      executionReturned: () => {},
      told: () => {},
      childTold: () => {},
      recorded: {
        execution: (context, run) => this.#execution(context, run),
        step: (step, run) => this.#step(step, run),
        waits: (context, name, place) => this.#waits(context, name, place),
      },
    })
  }

  /** The execution takes as long as it took, and where it reached out by itself it gives what it gave. */
  async #execution(context: StageContext, run: () => Promise<unknown>): Promise<unknown> {
    const { runId, stage, attempt, incarnation, signal } = context
    const recorded = this.#runs
      .get(runId)
      ?.executions[stage]?.find(one => one.attempt === attempt && one.incarnation === incarnation)
    const began = this.#time.now
    let outcome: { readonly value: unknown } | { readonly thrown: unknown }
    try {
      outcome = { value: await run() }
    } catch (thrown) {
      outcome = { thrown }
    }
    const reached = this.#reached.get(context)
    if (reached !== undefined && recorded?.end) {
      const { end } = recorded
      const hidden = 'error' in end ? '; that it was mended does not show before what it reaches for is a step' : ''
      this.#standIns.add(
        `stage '${stage}' reaches out by itself (${reached}): what was recorded of it stands in${hidden}`,
      )
      outcome = 'error' in end ? { thrown: decodeError(end.error as EncodedError) } : { value: end.value }
    }
    const leftMs = (recorded?.ms ?? 0) - (this.#time.now - began)
    if (leftMs > 0 && !signal.aborted) await pass(this.#time, leftMs, signal).catch(() => {})
    if ('thrown' in outcome) throw outcome.thrown
    return outcome.value
  }

  async #step({ idempotencyKey, signal }: StepContext, run: () => unknown): Promise<unknown> {
    const left = this.#stepsLeft.get(idempotencyKey)
    const gave = left?.[0]
    if (!gave) return run()
    await pass(this.#time, gave.ms, signal)
    left?.shift()
    if ('error' in gave) throw decodeError(gave.error as EncodedError)
    return gave.value
  }

  /** What came for this wait comes again. */
  #waits({ runId, stage }: StageContext, name: string, place: number): void {
    const key = `signal:${name}:${place}`
    const given = this.#runs.get(runId)?.waits[stage]?.[key]
    const identity = `${runId}/${stage}/${key}`
    if (!given || this.#signalled.has(identity)) return
    this.#signalled.add(identity)
    this.#send(1, runId, name, given.value)
  }

  #place(execution: StageContext | undefined): Place {
    return {
      time: this.#time,
      random: this.#random,
      stage: execution?.stage,
      note: ({ what, replaced }) => {
        if (execution && !replaced && !this.#reached.has(execution)) this.#reached.set(execution, what)
      },
    }
  }

  #note(what: string): void {
    this.#trace.push(`${formatMs(this.#time.now - this.#startedAt)}  ${what}`)
  }
}

const isOnPurpose = (error: Error): boolean =>
  (error as { details?: { injected?: unknown } }).details?.injected === true ||
  (error as { code?: unknown }).code === 'lease_lost'

function pass(time: SimulatedTime, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    if (ms === 0) return resolve()
    const stop = (): void => {
      time.cancel(timer)
      reject(signal.reason)
    }
    const timer = time.after(ms, () => {
      signal.removeEventListener('abort', stop)
      resolve()
    })
    signal.addEventListener('abort', stop, { once: true })
  })
}
