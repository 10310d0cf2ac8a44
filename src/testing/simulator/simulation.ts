/**
 * One seed: runs of a workflow on the real runtime, in a world that the seed decides. First everything may fail: the
 * process dies and comes back, the disk and the providers misbehave, the clock jumps, another process takes the store.
 * Then everything is healed, and what is left must come to its end. What breaks a guarantee on the way is kept, with
 * what happened until then.
 */
import { createHash } from 'node:crypto'
import type { Run, RunResult, RuntimeOptions } from '../../runtime/api.ts'
import { formatMs } from '../../time/duration.ts'
import { type Random, seededRandom } from '../../time/random.ts'
import type { AnyWorkflow } from '../../workflow/definition.ts'
import type { StageContext } from '../../workflow/stage-context.ts'
import { Charges } from './charges.ts'
import { type FaultRates, faultProfiles } from './fault-profile.ts'
import { Guarantees } from './guarantees.ts'
import { LifePlan } from './life-plan.ts'
import { inPlace, type OutsideUse, type Place } from './place.ts'
import { examineRun, journalText, simulatedRuns } from './run-examination.ts'
import type { Scenario, SeedOutcome } from './scenario.ts'
import { SignalSender } from './signal-sender.ts'
import { SimulatedDisk, type WriteDeath } from './simulated-disk.ts'
import { SimulatedOperator } from './simulated-operator.ts'
import { SimulatedProcess } from './simulated-process.ts'
import { simulatedProviders } from './simulated-providers.ts'
import { SimulatedTime, type Turns } from './simulated-time.ts'
import { WatchedWorkflows } from './watched-workflow.ts'
import { SimulatedWorld } from './world/simulated-world.ts'

const mostLives = 6
const mostTraceLines = 5000
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
    'plan' | 'disk' | 'stages' | 'providers' | 'signals' | 'runtime' | 'ambient' | 'begin' | 'operator' | 'world',
    Random
  >
  readonly #trace: string[] = []
  readonly #outside = new Map<string, OutsideUse>()
  readonly #results = new Map<string, RunResult>()
  /** Executions of stages that are under way, by process, run and stage. */
  readonly #executions = new Map<string, Set<StageContext>>()
  readonly #children = new Set<AnyWorkflow>()
  readonly #charges: Charges
  readonly #world: SimulatedWorld
  readonly #signals: SignalSender
  readonly #operator: SimulatedOperator
  readonly #lifePlan: LifePlan
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
      operator: stream(9),
      world: stream(10),
    }
    this.#guarantees = new Guarantees({
      note: what => this.#note(what),
      // Whoever asks at such a moment must not be told before it is true.
      ending: runId => this.#process?.ask(runId),
    })
    this.#disk = new SimulatedDisk(this.#time, this.#random.disk, this.#guarantees)
    this.#charges = new Charges(this.#guarantees)
    this.#world = new SimulatedWorld({
      files: scenario.files,
      programs: scenario.programs,
      random: this.#random.world,
      now: () => this.#time.wallClock,
      rates: () => this.#rates,
      note: what => this.#note(what),
    })
    const shared = {
      guarantees: this.#guarantees,
      time: this.#time,
      note: (what: string) => this.#note(what),
    }
    this.#signals = new SignalSender({
      ...shared,
      random: this.#random.signals,
      signal: scenario.signal,
      process: () => this.#process,
    })
    this.#operator = new SimulatedOperator({ ...shared, random: this.#random.operator })
    this.#lifePlan = new LifePlan({
      ...shared,
      disk: this.#disk,
      random: this.#random.plan,
      rates: () => this.#rates,
      isCurrent: process => this.#process === process,
      deposed: () => {
        this.#process = undefined
      },
    })
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
    const runs = await simulatedRuns(this.#disk, this.#world, this.#guarantees.runIds)
    for (const run of runs) {
      await examineRun(run, this.#disk, this.#guarantees, this.#scenario.invariants)
      this.#charges.examine(run.id, await this.#budgetOf(run.id))
    }
    const journal = journalText(runs)
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
    if (clock > 0) this.#lifePlan.setClockWrong()
    const endsAt = this.#time.now + 10 * minute + plan() * 120 * minute
    for (let life = 1; life < mostLives && this.#time.now < endsAt; life++) {
      const process = this.#launch(this.#lifePlan.death())
      const isPast = (): boolean => this.#isHealed || process.isOver
      this.#lifePlan.plan(process, isPast)
      this.#operator.plan(process, this.#rates.operators, isPast)
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
    this.#rates = faultProfiles.none as FaultRates
    Object.assign(this.#disk.faults, { slow: 0, full: 0, corrupt: 0 })
    const last = this.#process
    for (const process of this.#processes) if (process !== last && !process.isOver) process.die('forgotten')
    if (last && !last.isOver && this.#random.plan() < 0.5) last.die('as everything is healed')
    const process = last && !last.isOver ? last : this.#launch(undefined)
    await this.#passUntil(
      () =>
        process.isOver || (this.#guarantees.runIds.length > 0 && this.#guarantees.allAtRest && !this.#signals.hasMore),
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
              charged: (key, usd) => process.isDead || this.#charges.charged(key, usd),
              askedTooSoon: (key, byMs) => this.#askedTooSoon(key, byMs),
            }),
          },
          watch,
          [...this.#children].map(watch),
        ),
      begin: runtime => begin(runtime, { random: seededRandom(this.#seed), watch }),
      heard: (run, result) => this.#heard(run, result),
      note: what => this.#note(what),
      left: () => this.#charges.interrupted(),
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
      place: execution => this.#place(execution, process()),
      stepBegins: key => this.#effectBegins(process(), 'step', key),
      childStarts: workflow => void this.#children.add(workflow),
      executionBegins: context => this.#executionBegins(process(), context),
      executionReturned: ({ runId, stage, attempt, incarnation }, text) =>
        this.#guarantees.run(runId)?.executionReturned(stage, attempt, incarnation, text),
      told: ({ runId, stage }, told) => {
        if (isTrusted(process())) this.#guarantees.told({ runId, stage, ...told })
      },
      childTold: ({ runId, stage }, childId) => {
        if (!isTrusted(process()) || this.#guarantees.statusOf(childId) !== undefined) return
        this.#guarantees.fail(
          'told is durable',
          `stage '${stage}' was given child ${childId}, which is not durable`,
          runId,
        )
      },
    })
  }

  /** By a wall clock that jumps, one who waits as long as he was asked may come back too soon. */
  #askedTooSoon(idempotencyKey: string, byMs: number): void {
    if (this.#scenario.faults.clock > 0) return
    this.#guarantees.fail('within the policy', `${idempotencyKey} is asked again ${formatMs(byMs)} before the time`)
  }

  /** Whether it may begin: what is dead has no effects. One that has lost the store finds out at its next write. */
  #effectBegins(process: SimulatedProcess, kind: 'step' | 'call', idempotencyKey: string): boolean {
    if (process.isDead) return false
    if (!process.hasLostStore) this.#guarantees.effectBegins(kind, idempotencyKey)
    if (kind === 'call') this.#charges.asked(idempotencyKey)
    return true
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
      this.#signals.send()
      if (this.#isHealed && this.#process) this.#operator.release(this.#process)
      return isOver()
    }, limitMs)
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

  #executionBegins(process: SimulatedProcess, context: StageContext): () => void {
    const { number } = process
    const { runId, stage, attempt, incarnation } = context
    if (isTrusted(process)) this.#guarantees.run(runId)?.executionBegins(stage, attempt, incarnation)
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

  async #budgetOf(runId: string): Promise<{ readonly calls?: number }> {
    const row = await this.#disk.base.readRun(runId)
    return (JSON.parse(row?.options ?? '{}') as { budget?: { calls?: number } }).budget ?? {}
  }

  #place(execution: StageContext | undefined, process?: SimulatedProcess): Place {
    return {
      time: this.#time,
      random: this.#random.ambient,
      stage: execution?.stage,
      runId: execution?.runId,
      process,
      world: this.#world,
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

/** What a process says that is dead, or does not know yet that it has lost the store, is not held against it. */
const isTrusted = (process: SimulatedProcess): boolean => !process.isDead && !process.hasLostStore
