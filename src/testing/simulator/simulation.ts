/**
 * One seed: runs of a workflow on the real runtime, in a world that the seed decides. First everything may fail: the
 * process dies and comes back, the disk and the providers misbehave, the clock jumps, another process takes the store.
 * Then everything is healed, and what is left must come to its end. What breaks a guarantee on the way is kept, with
 * what happened until then.
 */
import { createHash } from 'node:crypto'
import type { Run, RunResult, Runtime, RuntimeOptions } from '../../runtime/api.ts'
import type { JournalRow, RunStatus } from '../../store/store.ts'
import { formatMs } from '../../time/duration.ts'
import { type Random, seededRandom } from '../../time/random.ts'
import type { AnyWorkflow } from '../../workflow/definition.ts'
import type { StageContext } from '../../workflow/stage-context.ts'
import type { FaultRates } from './fault-profile.ts'
import { type Broken, Guarantees, journalFaults } from './guarantees.ts'
import { inPlace, type OutsideUse, type Place } from './outside-world.ts'
import { SimulatedDisk, type WriteDeath } from './simulated-disk.ts'
import { SimulatedProcess } from './simulated-process.ts'
import { type Answers, simulatedProviders } from './simulated-providers.ts'
import { SimulatedTime, type Turns } from './simulated-time.ts'
import { type StandIns, WatchedWorkflows } from './watched-workflow.ts'

/** A run of a simulation after its end, as invariants are given it. */
export interface SimulatedRun {
  readonly id: string
  readonly workflow: string
  readonly input: unknown
  readonly status: RunStatus
  /** Absent of a run that still waits. */
  readonly result?: RunResult | undefined
  /** The journal, with its data parsed. */
  readonly journal: readonly (Omit<JournalRow, 'data'> & { readonly data: unknown })[]
}

export type RunInvariant = (run: SimulatedRun) => unknown

/** What a factory opens its runtime with: `createRuntime({ ...world, workflows })`. */
export type SimulatedRuntimeOptions = Required<
  Pick<RuntimeOptions, 'store' | 'clock' | 'random' | 'providers' | 'logger' | 'mode' | 'inspect'>
>

export interface Signal {
  readonly name: string
  readonly payload: unknown
}

export interface Scenario {
  /** Opens a runtime; `watch` makes a workflow whose stages are watched. */
  readonly open: (
    options: SimulatedRuntimeOptions,
    watch: (workflow: AnyWorkflow) => AnyWorkflow,
    /** The workflows that were started as children so far: a later process must know them. */
    children: readonly AnyWorkflow[],
  ) => Promise<Runtime>
  /** Starts the runs, or finds them: the same ones each time that it is called. */
  readonly begin: (
    runtime: Runtime,
    given: { readonly random: Random; readonly watch: (workflow: AnyWorkflow) => AnyWorkflow },
  ) => Promise<readonly Run<unknown>[]>
  /** The payload of a signal that a run waits for; undefined where none is sent. */
  readonly signal: (name: string, random: Random) => Signal | undefined
  readonly standIns: StandIns
  readonly answers: Answers | undefined
  readonly faults: FaultRates
  readonly invariants: readonly (readonly [name: string, invariant: RunInvariant])[]
  readonly inspect: SimulatedRuntimeOptions['inspect']
}

export interface SeedOutcome {
  readonly seed: number
  readonly broken: readonly Broken[]
  readonly runs: readonly SimulatedRun[]
  /** All journals as text, a row a line. */
  readonly journal: string
  /** A fingerprint of the journals. */
  readonly digest: string
  /** What happened, with the simulated time. */
  readonly trace: readonly string[]
  readonly outside: readonly OutsideUse[]
  readonly simulatedMs: number
  /** Processes that were needed. */
  readonly lives: number
  /** From the healing to the last end; undefined where something did not end. */
  readonly recoveryMs: number | undefined
}

const mostLives = 6
const mostTraceLines = 5000
/** Events that a machine of the user's own is sent by chance, so that it comes to rest. */
const mostEvents = 12
/** Times that the same signal is sent to a run that waits for it. */
const mostSendings = 20
const minute = 60_000
/** How long a healed world is given. */
const livenessMs = 400 * 24 * 60 * minute

export class Simulation {
  readonly #scenario: Scenario
  readonly #seed: number
  readonly #time: SimulatedTime
  readonly #disk: SimulatedDisk
  readonly #guarantees: Guarantees
  readonly #random: Record<
    'plan' | 'disk' | 'stages' | 'providers' | 'signals' | 'runtime' | 'ambient' | 'begin',
    Random
  >
  readonly #trace: string[] = []
  readonly #outside = new Map<string, OutsideUse>()
  readonly #results = new Map<string, RunResult>()
  /** Executions of stages that are under way, by process, run and stage. */
  readonly #executions = new Map<string, Set<StageContext>>()
  /** Signals that are on their way. */
  readonly #signals = new Set<string>()
  readonly #refused = new Set<string>()
  /** How many events of its choice a machine of the user's own was sent. */
  readonly #events = new Map<string, number>()
  readonly #children = new Set<AnyWorkflow>()
  readonly #sendings = new Map<string, number>()
  readonly #beganAt: number
  #rates: FaultRates
  #isHealed = false
  #process: SimulatedProcess | undefined
  #processes: SimulatedProcess[] = []

  constructor(scenario: Scenario, seed: number, turns: Turns) {
    this.#scenario = scenario
    this.#seed = seed
    this.#rates = scenario.faults
    this.#time = new SimulatedTime(turns)
    this.#beganAt = this.#time.now
    const stream = (place: number): Random => seededRandom(Math.imul(seed, 0x9e3779b1) + place)
    this.#random = {
      plan: stream(1),
      disk: stream(2),
      stages: stream(3),
      providers: stream(4),
      signals: stream(5),
      runtime: stream(6),
      ambient: stream(7),
      begin: stream(8),
    }
    this.#guarantees = new Guarantees(
      what => this.#note(what),
      (runId, status) => this.#note(`run ${runId} is ${status}`),
    )
    this.#disk = new SimulatedDisk(this.#time, this.#random.disk, this.#guarantees)
  }

  run(): Promise<SeedOutcome> {
    return inPlace(this.#place(undefined), () => this.#run())
  }

  async #run(): Promise<SeedOutcome> {
    let healedAt = this.#time.now
    let isAtRest = false
    try {
      await this.#safetyPhase()
      healedAt = this.#time.now
      isAtRest = await this.#livenessPhase()
    } catch (error) {
      this.#guarantees.fail('every run ends', (error as Error).message)
    }
    const restedAt = this.#time.now
    await this.#closeDown()
    const runs = await this.#simulatedRuns()
    for (const run of runs) await this.#examine(run)
    const journal = runs
      .flatMap(({ id, journal }) => journal.map(row => JSON.stringify({ runId: id, ...row })))
      .join('\n')
    return {
      seed: this.#seed,
      broken: this.#guarantees.broken,
      runs,
      journal,
      digest: createHash('sha256').update(journal).digest('hex').slice(0, 16),
      trace: this.#trace,
      outside: [...this.#outside.values()],
      simulatedMs: this.#time.now - this.#beganAt,
      lives: this.#processes.length,
      recoveryMs: isAtRest ? restedAt - healedAt : undefined,
    }
  }

  /** Lives of the process, one after the other, until all runs have ended or the time of faults is over. */
  async #safetyPhase(): Promise<void> {
    const { plan } = this.#random
    if (Object.values(this.#rates).every(rate => rate === 0)) return
    const { disk, clock } = this.#rates
    Object.assign(this.#disk.faults, { slow: disk * 0.2, full: disk * 0.02, corrupt: disk * 0.05 })
    if (clock > 0) this.#setClockWrong()
    const endsAt = this.#time.now + 10 * minute + plan() * 120 * minute
    for (let life = 1; life < mostLives && this.#time.now < endsAt; life++) {
      const process = this.#launch(this.#plannedDeath())
      this.#planEvents(process)
      const isOver = (): boolean => process.isOver || this.#process !== process || this.#allHeard(process)
      await this.#passUntil(isOver, endsAt - this.#time.now)
      this.#expectExplained(process)
      if (!process.isOver && this.#process === process && this.#allHeard(process)) return
      if (process.failure) process.die('after it has failed')
      if (process.isOver && plan() < 0.7) this.#time.now += Math.floor(plan() * 10 * minute)
    }
  }

  async #livenessPhase(): Promise<boolean> {
    this.#note('everything is healed')
    this.#isHealed = true
    this.#rates = { crashes: 0, disk: 0, providers: 0, clock: 0, owners: 0 }
    Object.assign(this.#disk.faults, { slow: 0, full: 0, corrupt: 0 })
    const last = this.#process
    for (const process of this.#processes) if (process !== last && !process.isOver) process.die('forgotten')
    if (last && !last.isOver && this.#random.plan() < 0.5) last.die('as everything is healed')
    const process = last && !last.isOver ? last : this.#launch(undefined)
    await this.#passUntil(
      () =>
        process.isOver || (this.#guarantees.runIds.length > 0 && this.#guarantees.allAtRest && !this.#signalsLeft()),
      livenessMs,
    )
    if (process.failure) {
      this.#guarantees.fail('the runtime works', `with nothing failing it says: ${process.failure.message}`)
      return false
    }
    await this.#passUntil(() => process.isOver || this.#allHeard(process), minute)
    await this.#expectSignalsTaken()
    if (this.#guarantees.runIds.length === 0) this.#guarantees.fail('the runtime works', 'no run was started')
    if (this.#guarantees.allAtRest) return true
    for (const runId of this.#guarantees.runIds) {
      if (this.#guarantees.isAtRest(runId)) continue
      const status = this.#guarantees.statusOf(runId)
      this.#guarantees.fail('every run ends', `run ${runId} is ${status} and nothing happens any more`, runId)
    }
    return false
  }

  /** A run may wait for a signal that nobody sends, but not for one that has come. */
  async #expectSignalsTaken(): Promise<void> {
    for (const { runId, name } of this.#guarantees.signalsWaitedFor()) {
      const [stored] = await this.#disk.base.load([runId], [])
      const untaken = stored?.signals.filter(signal => signal.name === name).length ?? 0
      if (untaken > 0) {
        this.#guarantees.fail('every run ends', `it waits for signal '${name}', of which ${untaken} have come`, runId)
      }
    }
  }

  async #closeDown(): Promise<void> {
    const process = this.#process
    if (!process || process.isOver) return
    process.close()
    const isClosed = await this.#time.passUntil(() => process.isOver, minute)
    if (!isClosed) this.#guarantees.fail('the runtime works', 'close() does not come to an end')
    if (process.failure) this.#guarantees.fail('the runtime works', `close() says: ${process.failure.message}`)
    if (process.clock.pending > 0) {
      this.#guarantees.fail('nothing left behind', `${process.clock.pending} timers are set after close()`)
    }
  }

  #launch(death: WriteDeath | undefined): SimulatedProcess {
    const { random, open, begin, inspect } = { ...this.#scenario, random: this.#random }
    const watched = this.#watched(() => process)
    const watch = (workflow: AnyWorkflow): AnyWorkflow => watched.of(workflow)
    const process: SimulatedProcess = new SimulatedProcess({
      number: this.#processes.length + 1,
      time: this.#time,
      disk: this.#disk,
      death: () => (this.#isHealed ? undefined : death),
      open: options =>
        open(
          {
            ...(options as Required<Pick<RuntimeOptions, 'store' | 'clock' | 'logger'>>),
            random: random.runtime,
            mode: 'minimal',
            inspect,
            providers: simulatedProviders({
              time: this.#time,
              random: random.providers,
              answers: this.#scenario.answers,
              rate: () => this.#rates.providers,
              asked: context => this.#effectBegins(process, 'call', context.idempotencyKey),
              failed: what => this.#note(what),
            }),
          },
          watch,
          [...this.#children].map(watch),
        ),
      begin: runtime => begin(runtime, { random: seededRandom(this.#seed), watch }),
      heard: (run, result) => this.#heard(run, result),
      note: what => this.#note(what),
    })
    this.#process = process
    this.#processes.push(process)
    process.launch()
    return process
  }

  #watched(process: () => SimulatedProcess): WatchedWorkflows {
    return new WatchedWorkflows({
      random: this.#random.stages,
      standIns: this.#scenario.standIns,
      place: stage => this.#place(stage),
      stepBegins: key => this.#effectBegins(process(), 'step', key),
      childStarts: workflow => void this.#children.add(workflow),
      executionBegins: context => this.#executionBegins(process(), context),
    })
  }

  /** Whether it may begin: what is dead has no effects. One that has lost the store finds out at its next write. */
  #effectBegins(process: SimulatedProcess, kind: 'step' | 'call', idempotencyKey: string): boolean {
    if (process.isDead) return false
    if (!process.hasLostStore) this.#guarantees.effectBegins(kind, idempotencyKey)
    return true
  }

  #plannedDeath(): WriteDeath | undefined {
    const { plan } = this.#random
    if (plan() >= this.#rates.crashes) return undefined
    const mode = (['before', 'after', 'torn'] as const)[Math.floor(plan() * 3)] as WriteDeath['mode']
    return { at: 1 + Math.floor(plan() ** 2 * 40), mode }
  }

  /** What comes over this process from outside, at some time. */
  #planEvents(process: SimulatedProcess): void {
    const { plan } = this.#random
    const sometime = (event: () => void): void => {
      this.#time.after(Math.floor(plan() ** 2 * 20 * minute), () => this.#isHealed || process.isOver || event())
    }
    const { crashes, owners } = this.#rates
    if (plan() < crashes / 2) sometime(() => process.die('at some moment'))
    else if (plan() < crashes / 4) sometime(() => process.close())
    if (plan() < owners / 2) sometime(() => this.#rival(process))
    if (plan() < owners / 2) {
      sometime(() => {
        if (this.#process !== process || !process.runtime) return
        process.losesStore()
        this.#process = undefined
      })
    }
  }

  /** Another process wants the store of one that lives: it must be refused. */
  #rival(process: SimulatedProcess): void {
    if (process.isOver || this.#process !== process || !process.runtime) return
    const rival = { isDead: false, die: () => {} }
    const store = this.#disk.open(rival, () => undefined)
    this.#note('another process wants the store')
    store.claim({ pid: 2, host: 'rival', at: this.#time.wallClock }).then(
      () => {
        if (process.isOver || this.#process !== process) return void store.close()
        this.#guarantees.fail('one owner', 'another process was given the store of one that lives')
      },
      () => {},
    )
  }

  #setClockWrong(): void {
    const { plan } = this.#random
    const again = (): void => {
      if (this.#rates.clock === 0) return
      const jump = Math.floor((plan() - 0.5) * 2 * (plan() < 0.5 ? minute : 60 * minute))
      this.#time.skewMs += jump
      this.#note(`the clock jumps by ${jump < 0 ? '-' : ''}${formatMs(Math.abs(jump))}`)
      this.#time.after((1 + plan() * 20) * minute, again)
    }
    this.#time.after(plan() * 10 * minute, again)
  }

  /** A runtime may give up only for what was done to it. */
  #expectExplained({ failure }: SimulatedProcess): void {
    const code = (failure as { code?: string } | undefined)?.code
    if (failure && code !== 'store_full' && code !== 'lease_lost' && code !== 'store_owned') {
      this.#guarantees.fail('the runtime works', failure.message)
    }
  }

  async #passUntil(isOver: () => boolean, limitMs: number): Promise<boolean> {
    return this.#time.passUntil(() => {
      this.#sendSignals()
      return isOver()
    }, limitMs)
  }

  #sendSignals(): void {
    for (const { runId, name } of this.#guarantees.signalsWaitedFor()) {
      const key = `${runId} ${name}`
      if (this.#signals.has(key)) continue
      this.#signals.add(key)
      const signal = this.#signalFor(runId, name, this.#random.signals)
      if (!signal) continue
      this.#sendings.set(key, (this.#sendings.get(key) ?? 0) + 1)
      if (name === '') this.#events.set(runId, (this.#events.get(runId) ?? 0) + 1)
      const delayMs = Math.floor(this.#random.signals() ** 3 * 60 * minute)
      this.#time.after(delayMs, () => this.#deliver(key, runId, signal))
    }
  }

  #deliver(key: string, runId: string, { name, payload }: Signal): void {
    const process = this.#process
    const stillWaits = [...this.#guarantees.signalsWaitedFor()].some(wait => `${wait.runId} ${wait.name}` === key)
    const over = (): void => void this.#signals.delete(key)
    if (!stillWaits || !process?.runtime || process.isOver) return over()
    this.#note(`signal ${name} to run ${runId}`)
    process.runtime
      .get(runId)
      .then(run => run.signal(name, payload))
      .catch(error => {
        if ((error as { code?: string }).code === 'invalid_value') this.#refusedSignal(runId, name, error as Error)
      })
    // A process that dies answers nobody: whoever sent it looks again after a while.
    this.#time.after(minute, over)
  }

  #refusedSignal(runId: string, name: string, error: Error): void {
    this.#refused.add(`${runId} ${name}`)
    this.#note(`signal ${name} to run ${runId} is refused: ${error.message}`)
  }

  #signalFor(runId: string, name: string, random: Random): Signal | undefined {
    if (this.#refused.has(`${runId} ${name}`)) return undefined
    if ((this.#sendings.get(`${runId} ${name}`) ?? 0) >= mostSendings) return undefined
    if (name === '' && (this.#events.get(runId) ?? 0) >= mostEvents) return undefined
    return this.#scenario.signal(name, random)
  }

  /** Whether a signal that a run waits for can still be sent. */
  #signalsLeft(): boolean {
    for (const { runId, name } of this.#guarantees.signalsWaitedFor()) {
      if (this.#signalFor(runId, name, () => 0)) return true
    }
    return false
  }

  #allHeard({ started, heard }: SimulatedProcess): boolean {
    return started > 0 && heard.size === started && this.#guarantees.allEnded
  }

  #heard(run: Run<unknown>, result: RunResult): void {
    const durable = this.#guarantees.statusOf(run.id)
    const before = this.#results.get(run.id)
    if (durable !== result.status)
      this.#guarantees.fail('an end is an end', `result() told ${result.status} while the store has ${durable}`, run.id)
    if (before && JSON.stringify(before) !== JSON.stringify(result))
      this.#guarantees.fail('an end is an end', 'result() told another result than before', run.id)
    this.#results.set(run.id, result)
  }

  #executionBegins({ number }: SimulatedProcess, context: StageContext): () => void {
    const { runId, stage } = context
    const key = `${number} ${runId} ${stage}`
    const others = this.#executions.get(key) ?? new Set()
    this.#executions.set(key, others)
    const live = [...others].find(other => !other.signal.aborted)
    if (live) {
      const message = `execution ${context.incarnation} of stage '${stage}' begins while ${live.incarnation} goes on`
      this.#guarantees.fail('one live incarnation', message, runId)
    }
    others.add(context)
    return () => others.delete(context)
  }

  async #simulatedRuns(): Promise<SimulatedRun[]> {
    const runs: SimulatedRun[] = []
    for (const id of this.#guarantees.runIds) {
      const row = await this.#disk.base.readRun(id)
      if (!row) continue
      const rows = await this.#disk.journal(id)
      runs.push({
        id,
        workflow: row.workflow,
        input: row.input === '' ? undefined : JSON.parse(row.input),
        status: row.status,
        ...(row.outcome === null ? {} : { result: JSON.parse(row.outcome) as RunResult }),
        journal: rows.map(journalled => ({ ...journalled, data: JSON.parse(journalled.data) as unknown })),
      })
    }
    return runs
  }

  async #examine(run: SimulatedRun): Promise<void> {
    for (const fault of journalFaults(await this.#disk.journal(run.id)))
      this.#guarantees.fail('dense journal', fault, run.id)
    const row = await this.#disk.base.readRun(run.id)
    const { budget } = JSON.parse(row?.options ?? '{}') as { budget?: { calls?: number; usd?: number } }
    const cost = run.result?.cost
    if (cost && budget?.calls !== undefined && cost.calls > budget.calls)
      this.#guarantees.fail('budget kept', `${cost.calls} calls, and ${budget.calls} were allowed`, run.id)
    for (const [name, invariant] of this.#scenario.invariants) {
      try {
        const verdict = await invariant(run)
        if (verdict === false)
          this.#guarantees.fail(name, `it is false of run ${run.id}, which is ${run.status}`, run.id)
      } catch (error) {
        this.#guarantees.fail(name, error instanceof Error ? error.message : String(error), run.id)
      }
    }
  }

  #place(stage: string | undefined): Place {
    return {
      time: this.#time,
      random: this.#random.ambient,
      stage,
      note: use => {
        const key = `${use.stage} ${use.what}`
        if (this.#outside.has(key)) return
        this.#outside.set(key, use)
        if (!use.replaced)
          this.#guarantees.fail('inside the simulation', `stage '${use.stage}' reaches out by itself: ${use.what}`)
      },
    }
  }

  #note(what: string): void {
    if (this.#trace.length < mostTraceLines) this.#trace.push(`${formatMs(this.#time.now - this.#beganAt)}  ${what}`)
  }
}
