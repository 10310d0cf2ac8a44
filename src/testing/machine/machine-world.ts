/**
 * A machine in a world of its own: pure transitions only, no actor runs. Time is a number, what the machine scheduled
 * (`after`, delayed `raise` and `sendTo` to itself) is a list of due times, and a crash puts the snapshot through JSON
 * text as the death of a process and the start of the next do. XState's own persistence forgets what was scheduled;
 * Holdfast's keeps it with the time that remains.
 */
import { type AnyMachineSnapshot, type AnyStateMachine, type AnyTransitionDefinition, createEmptyActor } from 'xstate'
import { seededRandom } from '../../time/random.ts'
import { withHeldRandom } from '../ambient-clock.ts'
import { stateText } from './state-text.ts'

/** Whether what is scheduled outlives a crash: with XState's own persistence not, on Holdfast's runtime it does. */
export type Persistence = 'xstate' | 'holdfast'

/** Told of every microstep, those that pass in no time too. */
export interface Witness {
  took(transition: AnyTransitionDefinition): void
  entered(snapshot: AnyMachineSnapshot): void
}

interface Scheduled {
  readonly id: string
  readonly dueAt: number
  readonly event: { readonly type: string }
}

interface Requested {
  readonly type: string
  readonly params: Readonly<Record<string, unknown>> | undefined
}

/** An actor that the machine has and that has not ended. */
export interface Child {
  readonly id: string
  /** Its name in `setup({ actors })`, where it has one. */
  readonly src: string | undefined
}

/** Microsteps of one event beyond which transitions that follow by themselves (`always`, `raise`) go round for ever. */
const mostMicrosteps = 10_000

/** A timer that fires more often than this at one instant is a loop without end. */
const mostAtOnce = 10_000

export class MachineWorld {
  readonly machine: AnyStateMachine
  readonly #persistence: Persistence
  readonly #witness: Witness | undefined
  readonly #random = seededRandom(1)
  #snapshot!: AnyMachineSnapshot
  #scheduled: Scheduled[] = []
  #nextId = 0
  /** Milliseconds since the start. */
  now = 0
  /** Whether anything that was scheduled has come due. */
  hasPassed = false

  constructor(machine: AnyStateMachine, persistence: Persistence, witness?: Witness) {
    this.machine = machine
    this.#persistence = persistence
    this.#witness = witness
  }

  /** @throws what the machine's first transition throws */
  start(input: unknown): void {
    this.#snapshot = this.#take(scope => this.machine.getInitialSnapshot(scope, input as never))
    if (this.#snapshot.status === 'error') throw this.#snapshot.error
    this.#witness?.entered(this.#snapshot)
  }

  get snapshot(): AnyMachineSnapshot {
    return this.#snapshot
  }

  get isActive(): boolean {
    return this.#snapshot.status === 'active'
  }

  /** Until the next of what is scheduled comes due; undefined where nothing is. */
  get untilNextMs(): number | undefined {
    return this.#scheduled.length === 0 ? undefined : Math.min(...this.#scheduled.map(({ dueAt }) => dueAt)) - this.now
  }

  get children(): readonly Child[] {
    return Object.entries(this.#snapshot.children).map(([id, child]) => {
      const src = (child as { src?: unknown } | undefined)?.src
      return { id, src: typeof src === 'string' ? src : undefined }
    })
  }

  /** @throws what the machine's guards and assignments throw */
  send(event: { readonly type: string }): void {
    if (!this.isActive) return
    this.#snapshot = this.#take(scope => this.machine.transition(this.#snapshot, event as never, scope))
    if (!this.isActive) this.#scheduled = []
  }

  /** Lets time pass; what comes due on the way is sent in the order of its time. */
  pass(ms: number): void {
    const until = this.now + ms
    for (let fired = 0; fired < mostAtOnce; fired++) {
      const next = this.#nextDue()
      if (!next || next.dueAt > until) break
      this.now = Math.max(this.now, next.dueAt)
      this.#scheduled = this.#scheduled.filter(entry => entry !== next)
      this.hasPassed = true
      this.send(next.event)
    }
    this.now = until
  }

  /**
   * The process dies, and the next one restores the snapshot from its JSON text.
   * @throws what stands in the way of persisting or restoring it
   */
  crash(): void {
    const missing = Object.entries(this.#snapshot.children).find(([, child]) => child === undefined)
    if (missing) throw new Error(`actor '${missing[0]}' has no implementation; give it in setup({ actors })`)
    const text = JSON.stringify(this.machine.getPersistedSnapshot(this.#snapshot))
    this.#snapshot = this.machine.restoreSnapshot(JSON.parse(text), this.#scope([])) as AnyMachineSnapshot
    if (this.#persistence === 'xstate') this.#scheduled = []
  }

  #nextDue(): Scheduled | undefined {
    let next: Scheduled | undefined
    for (const entry of this.#scheduled) if (!next || entry.dueAt < next.dueAt) next = entry
    return next
  }

  #take(step: (scope: never) => unknown): AnyMachineSnapshot {
    const requested: Requested[] = []
    // Of its own: what one machine draws by itself must not change what another draws that is compared with it.
    const next = withHeldRandom(this.#random, () => step(this.#scope(requested))) as AnyMachineSnapshot
    for (const request of requested) this.#schedule(request)
    return next
  }

  #schedule({ type, params }: Requested): void {
    if (type === 'xstate.cancel') {
      this.#scheduled = this.#scheduled.filter(entry => entry.id !== params?.sendId)
      return
    }
    if (type !== 'xstate.raise' && type !== 'xstate.sendTo') return
    const { delay, event, id } = (params ?? {}) as { delay?: unknown; event?: { type: string }; id?: string }
    if (typeof delay !== 'number' || event === undefined) return
    if (type === 'xstate.sendTo' && !(params?.isOwn ?? false)) return
    const key = id ?? `unnamed ${this.#nextId++}`
    this.#scheduled = this.#scheduled.filter(entry => entry.id !== key)
    this.#scheduled.push({ id: key, dueAt: this.now + Math.max(0, delay), event })
  }

  /** What XState calls the actor's scope, of an actor that nobody runs; a new one each time, as its `transition` does. */
  #scope(requested: Requested[]): never {
    const self = createEmptyActor()
    let microsteps = 0
    self.system.inspect(event => {
      if (event.type !== '@xstate.microstep') return
      if (++microsteps > mostMicrosteps) throw endless(event.snapshot as AnyMachineSnapshot)
      if (!this.#witness) return
      for (const taken of event._transitions) this.#witness.took(taken)
      this.#witness.entered(event.snapshot as AnyMachineSnapshot)
    })
    const scope = {
      self,
      system: self.system,
      id: this.machine.id,
      sessionId: '',
      defer: () => {},
      logger: () => {},
      stopChild: () => {},
      emit: () => {},
      actionExecutor: ({ type, params }: { type: string; params?: Record<string, unknown> }) =>
        requested.push({ type, params: params?.to === self ? { ...params, isOwn: true } : params }),
    }
    return scope as never
  }
}

const endless = ({ value }: AnyMachineSnapshot): Error =>
  new Error(
    `after ${mostMicrosteps} microsteps of one event it still goes on by itself, in '${stateText(value)}': transitions with \`always\` or raised events lead round for ever`,
  )
