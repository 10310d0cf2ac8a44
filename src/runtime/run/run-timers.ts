/**
 * The durable timers of one run. A timer is a row in the store and an entry in the wheel; setting and clearing it is
 * part of the commit of what caused it, so a restored run has exactly the timers that its snapshot expects, with their
 * absolute due times. While a run is paused only the timers of the run as a whole are armed.
 */
import type { TimerRow } from '../../store/store.ts'
import { faultOfTimer, type TimerPurpose } from '../commits/timer-purpose.ts'
import type { WheelTimer } from '../commits/timer-wheel.ts'
import type { LiveRun, RunTimers } from './live.ts'

const none: readonly TimerRow[] = []

export class DurableTimers implements RunTimers {
  readonly #run: LiveRun
  /** By key. Both are made when there is a timer: most runs never have one. */
  #rows: Map<string, TimerRow> | undefined
  #wheelTimers: Map<string, WheelTimer> | undefined
  /** What XState had scheduled when the snapshot was taken. */
  #scheduled: readonly TimerRow[] = []

  constructor(run: LiveRun, rows: readonly TimerRow[]) {
    this.#run = run
    if (rows.length === 0) return
    const sound = rows.filter(row => faultOfTimer(row) === undefined)
    for (const { key } of rows.filter(row => !sound.includes(row))) run.pending.clearTimer(key)
    this.#rows = new Map(sound.map(row => [row.key, row]))
    this.#scheduled = sound.filter(isScheduled)
  }

  set(key: string, dueAt: number, purpose: TimerPurpose): void {
    const row: TimerRow = { key, dueAt, data: JSON.stringify(purpose) }
    this.#keep(row)
    this.#run.pending.setTimer(row)
    if (purpose.kind !== 'scheduled') this.#arm(row)
  }

  ensure(key: string, dueAt: number, purpose: TimerPurpose): void {
    if (!this.#rows?.has(key)) this.set(key, dueAt, purpose)
  }

  clear(key: string): void {
    if (!this.#rows?.delete(key)) return
    this.#run.pending.clearTimer(key)
    this.#disarm(key)
  }

  dueAt(key: string): number | undefined {
    return this.#rows?.get(key)?.dueAt
  }

  /** The timers of one kind, with when they are due. */
  ofKind<TKind extends TimerPurpose['kind']>(
    kind: TKind,
  ): { key: string; dueAt: number; purpose: Extract<TimerPurpose, { kind: TKind }> }[] {
    return this.#all()
      .map(row => ({ key: row.key, dueAt: row.dueAt, purpose: JSON.parse(row.data) as TimerPurpose }))
      .filter(
        (timer): timer is { key: string; dueAt: number; purpose: Extract<TimerPurpose, { kind: TKind }> } =>
          timer.purpose.kind === kind,
      )
  }

  /** Arms what the store had: what is overdue comes due at once. `run`: only those of the run as a whole. */
  rearm(which: 'all' | 'run' = 'all'): void {
    for (const row of this.#all()) {
      const { kind } = JSON.parse(row.data) as TimerPurpose
      if (kind !== 'scheduled' && (which === 'all' || isOfRun(kind))) this.#arm(row)
    }
  }

  /** When the next one is due that brings the run back from the store; `run`: of those of the run as a whole. */
  nextDueAt(which: 'all' | 'run'): number | undefined {
    let next: number | undefined
    for (const row of this.#all()) {
      if (which === 'run' && !isOfRun((JSON.parse(row.data) as TimerPurpose).kind)) continue
      if (next === undefined || row.dueAt < next) next = row.dueAt
    }
    return next
  }

  clearAll(): void {
    for (const { key } of this.#all()) this.clear(key)
  }

  /** To be called when a snapshot is taken: what belongs to it. */
  noteScheduled(): void {
    this.#scheduled = this.#all().filter(isScheduled)
  }

  /** Keeps the delayed events of the last snapshot in the store, since the run may be reopened from it. */
  keepScheduled(): void {
    for (const row of this.#scheduled) {
      this.#keep(row)
      this.#run.pending.setTimer(row)
    }
  }

  /** Disarms all, or all but those of the run as a whole; the rows in the store stay. */
  forget(except?: 'run'): void {
    for (const key of [...(this.#wheelTimers?.keys() ?? [])]) {
      const row = this.#rows?.get(key)
      if (except && row && isOfRun((JSON.parse(row.data) as TimerPurpose).kind)) continue
      this.#disarm(key)
    }
  }

  #all(): readonly TimerRow[] {
    return this.#rows === undefined ? none : [...this.#rows.values()]
  }

  #keep(row: TimerRow): void {
    this.#rows ??= new Map()
    this.#rows.set(row.key, row)
  }

  #arm(row: TimerRow): void {
    this.#disarm(row.key)
    this.#wheelTimers ??= new Map()
    const due = (): void => this.#run.dispatch(() => this.#come(row))
    this.#wheelTimers.set(row.key, this.#run.services.wheel.set(row.dueAt, due))
  }

  #disarm(key: string): void {
    const timer = this.#wheelTimers?.get(key)
    if (!timer) return
    this.#wheelTimers?.delete(key)
    this.#run.services.wheel.cancel(timer)
  }

  #come(row: TimerRow): void {
    if (this.#rows?.get(row.key) !== row) return
    const purpose = JSON.parse(row.data) as TimerPurpose
    this.clear(row.key)
    if (purpose.kind === 'deadline') return this.#run.passDeadline()
    if (purpose.kind === 'wallTime') return this.#run.exceedWallTime()
    if (purpose.kind === 'scheduled' || purpose.kind === 'wake') return
    const stage = this.#run.liveStage(purpose.stage)
    if (purpose.kind === 'delay') return stage?.passDelay()
    if (purpose.kind === 'sleep') return this.#run.waits.endSleep(purpose.stage, purpose.key)
    this.#run.waits.endWait(purpose.stage, purpose.key)
  }
}

const isScheduled = (row: TimerRow): boolean => (JSON.parse(row.data) as TimerPurpose).kind === 'scheduled'

/** These count everything, a pause too. */
const isOfRun = (kind: TimerPurpose['kind']): boolean => kind === 'deadline' || kind === 'wallTime'
