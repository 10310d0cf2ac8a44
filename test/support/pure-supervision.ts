/**
 * A supervisor without actors: the supervisor machine by pure transitions, and a small reference runtime that does what
 * the machine decided to children which are records. It tells the same events as a live supervisor, in the same order.
 * Whatever a child should do, it is told: it starts by its plan, and ends when the test says so.
 */
import { type AnyMachineSnapshot, initialTransition, transition } from 'xstate'
import {
  type SupervisorDecision,
  type SupervisorMachineContext,
  type SupervisorMachineEvent,
  type SupervisorMachineInput,
  supervisorMachine,
} from '../../machines/supervisor.machine.ts'

export type StartResult = 'ok' | 'fail' | 'ignore'
export type ChildReason = 'normal' | 'abnormal' | 'shutdown'

export interface PureChildSpec {
  readonly id: string
  readonly restart: 'permanent' | 'transient' | 'temporary'
  readonly significant?: boolean
  /** How the start attempts go, over and over; a nested supervisor starts its children. */
  readonly attempts?: readonly StartResult[]
  readonly nested?: PureSpec
}

export interface PureSpec extends SupervisorMachineInput {
  readonly children: readonly PureChildSpec[]
}

export interface PureChild {
  readonly spec: PureChildSpec
  incarnation: number
  state: 'running' | 'restarting' | 'stopped'
  startedAt: number
  failures: number
  previousDelayMs: number
  nested?: PureSupervision | undefined
}

/** Time, and what all supervisors of a tree have done, as short lines: `+a1`, `-a1 abnormal`, `!a [a b]`. */
export class PureWorld {
  now = 0
  unit = 0.5
  readonly lines: string[] = []
  /** By path: who is in a spec goes on counting when the supervisor above it is started again. */
  readonly incarnations = new Map<string, number>()
  readonly attempts = new Map<string, number>()
  readonly due: { at: number; readonly whose: PureSupervision; readonly run: () => void }[] = []
}

type Restart = Extract<SupervisorDecision, { kind: 'restart' }>

export class PureSupervision {
  readonly spec: PureSpec
  readonly world: PureWorld
  readonly path: string
  readonly decisions: SupervisorDecision[] = []
  children: PureChild[] = []
  causes: string[] = []
  readonly #above: ((causes: readonly string[]) => void) | undefined
  #snapshot: AnyMachineSnapshot

  constructor(spec: PureSpec, world = new PureWorld(), path = '', above?: (causes: readonly string[]) => void) {
    this.spec = spec
    this.world = world
    this.path = path
    this.#above = above
    const { children: _, ...input } = spec
    this.#snapshot = initialTransition(supervisorMachine, input)[0]
  }

  get context(): SupervisorMachineContext {
    return this.#snapshot.context
  }

  get status(): string {
    return this.#snapshot.status
  }

  get isRunning(): boolean {
    return this.#snapshot.matches('running')
  }

  find(id: string): PureChild | undefined {
    return this.children.find(child => child.spec.id === id)
  }

  running(): PureChild[] {
    return this.children.filter(({ state }) => state === 'running')
  }

  /** Tells the machine; nothing is done about it here. */
  tell(event: SupervisorMachineEvent): void {
    this.#snapshot = transition(supervisorMachine, this.#snapshot as never, event)[0]
  }

  start(): boolean {
    this.children = this.spec.children.map(newChild)
    this.tell({ type: 'START' })
    for (const child of [...this.children]) {
      if (this.#startOne(child)) continue
      this.tell({ type: 'START_FAILED', ...this.#facts(child) })
      this.#finish()
      return false
    }
    this.tell({ type: 'CHILDREN_STARTED' })
    return true
  }

  /** A child ends by itself. */
  end(id: string, reason: ChildReason, cause = id): void {
    const child = this.find(id)
    if (child?.state !== 'running' || !this.isRunning) return
    this.#log(`-${this.path}${id}${child.incarnation} ${reason}`)
    child.state = 'stopped'
    const { restart, significant = false } = child.spec
    const otherSignificant = this.children.some(
      other => other !== child && (other.spec.significant ?? false) && other.state !== 'stopped',
    )
    const ranMs = this.world.now - child.startedAt
    this.#decide(
      { type: 'CHILD_EXITED', ...this.#facts(child), restart, significant, reason, ranMs, otherSignificant },
      child,
      cause,
    )
  }

  add(spec: PureChildSpec): boolean {
    if (this.find(spec.id)) return false
    const child = newChild(spec)
    this.world.incarnations.delete(`${this.path}${spec.id}`)
    this.world.attempts.delete(`${this.path}${spec.id}`)
    this.children.push(child)
    if (this.#startOne(child)) return true
    this.children = this.children.filter(other => other !== child)
    return false
  }

  terminate(id: string): void {
    const child = this.find(id)
    if (!child) return
    this.#stopOne(child)
    this.#leave(child)
  }

  restart(id: string): void {
    const child = this.find(id)
    if (child?.state === 'stopped') this.#startOne(child)
  }

  stop(): void {
    this.tell({ type: 'STOP' })
    if (this.#snapshot.matches('stopping')) this.#finish()
  }

  /** Time passes; restarts that come due begin, and those that they lead to. */
  advance(ms: number): void {
    const { world } = this
    const until = world.now + ms
    for (;;) {
      const next = world.due.filter(({ at }) => at <= until).sort((one, other) => one.at - other.at)[0]
      if (!next) break
      world.due.splice(world.due.indexOf(next), 1)
      world.now = Math.max(world.now, next.at)
      next.run()
    }
    world.now = until
  }

  #facts({ spec, failures, previousDelayMs }: PureChild) {
    return { id: spec.id, at: this.world.now, unit: this.world.unit, failures, previousDelayMs }
  }

  #log(line: string): void {
    this.world.lines.push(line)
  }

  #decide(fact: SupervisorMachineEvent, child: PureChild, cause: string): void {
    this.tell(fact)
    const decision = this.context.decision as SupervisorDecision
    this.decisions.push(decision)
    if (decision.kind === 'restart') return this.#prepare(child, decision, cause)
    this.#leave(child)
    if (decision.kind === 'leave') return
    this.causes = [`${this.path}${decision.kind}`, cause]
    this.#finish()
    // The machine says by its end that no child is left; only then the one above may know.
    if (this.status === 'done') this.#above?.(this.causes)
  }

  #prepare(child: PureChild, { scope, delayMs, failures }: Restart, cause: string): void {
    child.failures = failures
    child.previousDelayMs = delayMs
    const at = this.children.indexOf(child)
    const group = scope === 'child' ? [child] : scope === 'all' ? [...this.children] : this.children.slice(at)
    const members = group.filter(({ spec }) => spec.restart !== 'temporary')
    this.#log(`!${this.path}${child.spec.id} [${members.map(({ spec }) => spec.id).join(' ')}]`)
    for (const member of group.reverse()) {
      if (member !== child) this.#stopOne(member)
      if (member.spec.restart === 'temporary') this.#leave(member)
      else member.state = 'restarting'
    }
    const run = (): void => this.#startGroup(members, cause)
    this.world.due.push({ at: this.world.now + delayMs, whose: this, run })
  }

  #startGroup(members: readonly PureChild[], cause: string): void {
    if (!this.isRunning) return
    for (const member of members) {
      if (member.state !== 'restarting' || !this.children.includes(member)) continue
      if (this.#startOne(member)) continue
      this.#decide({ type: 'START_FAILED', ...this.#facts(member) }, member, cause)
      return
    }
    if (!this.children.some(({ state }) => state === 'restarting')) this.tell({ type: 'RESTARTS_SETTLED' })
  }

  #startOne(child: PureChild): boolean {
    const { id, nested, attempts = ['ok'], restart } = child.spec
    const attempt = nested ? 'ok' : attempts[(this.#next(this.world.attempts, id) - 1) % attempts.length]
    if (attempt === 'fail') return false
    if (attempt === 'ignore') {
      child.state = 'stopped'
      if (restart === 'temporary') this.#leave(child)
      return true
    }
    if (nested) {
      const tellAbove = (causes: readonly string[]): void => this.end(id, 'shutdown', causes.join(' < '))
      child.nested = new PureSupervision(nested, this.world, `${this.path}${id}/`, tellAbove)
      if (!child.nested.start()) return false
    }
    child.state = 'running'
    child.incarnation = this.#next(this.world.incarnations, id)
    child.startedAt = this.world.now
    this.#log(`+${this.path}${id}${child.incarnation}`)
    return true
  }

  #next(counts: Map<string, number>, id: string): number {
    const path = `${this.path}${id}`
    const count = (counts.get(path) ?? 0) + 1
    counts.set(path, count)
    return count
  }

  #stopOne(child: PureChild): void {
    if (child.state !== 'running') return
    child.nested?.stop()
    this.#log(`-${this.path}${child.spec.id}${child.incarnation} shutdown`)
    child.state = 'stopped'
  }

  #leave(child: PureChild): void {
    child.state = 'stopped'
    if (child.spec.restart === 'temporary') this.children = this.children.filter(other => other !== child)
  }

  #finish(): void {
    for (const child of [...this.children].reverse()) {
      this.#stopOne(child)
      child.state = 'stopped'
    }
    this.tell({ type: 'CHILDREN_STOPPED' })
    this.#log(`${this.path}stopped ${this.context.outcome}`)
  }
}

const newChild = (spec: PureChildSpec): PureChild => ({
  spec,
  incarnation: 0,
  state: 'stopped',
  startedAt: 0,
  failures: 0,
  previousDelayMs: 0,
})
