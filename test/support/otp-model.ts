/**
 * A small model of Erlang/OTP's `supervisor`, written from its documented behaviour and kept apart from the code under
 * test: restarts are atomic, a failed attempt is tried again at once and costs a unit, a supervisor that gives up exits
 * with `shutdown`. It tells starts, exits and refusals in order.
 */
export type StartResult = 'ok' | 'fail' | 'ignore'

export interface ModelSupervisorSpec {
  readonly strategy: 'one-for-one' | 'one-for-all' | 'rest-for-one'
  readonly intensity: number
  readonly periodMs: number
  readonly autoShutdown: 'never' | 'any-significant' | 'all-significant'
  readonly children: readonly ModelChildSpec[]
}

export interface ModelChildSpec {
  readonly id: string
  readonly restart: 'permanent' | 'transient' | 'temporary'
  readonly significant: boolean
  /** How the start attempts go, over and over. */
  readonly attempts: readonly StartResult[]
  readonly nested?: ModelSupervisorSpec | undefined
}

interface ModelChild {
  spec: ModelChildSpec
  state: 'running' | 'restarting' | 'stopped'
  nested?: ModelSupervisor | undefined
}

export class World {
  now = 0
  readonly log: string[] = []
  readonly attempts = new Map<string, number>()
  readonly incarnations = new Map<string, number>()

  next(counts: Map<string, number>, path: string): number {
    const count = (counts.get(path) ?? 0) + 1
    counts.set(path, count)
    return count
  }
}

export class ModelSupervisor {
  readonly spec: ModelSupervisorSpec
  readonly world: World
  readonly path: string
  children: ModelChild[] = []
  units: number[] = []
  isUp = false
  endReason: string | undefined

  constructor(spec: ModelSupervisorSpec, world: World, path = '') {
    this.spec = spec
    this.world = world
    this.path = path
  }

  start(): boolean {
    this.children = this.spec.children.map(spec => ({ spec, state: 'stopped' }))
    for (const child of [...this.children]) {
      if (this.#startOne(child) === 'fail') {
        this.#endWith('start-failed')
        return false
      }
    }
    this.isUp = true
    return true
  }

  find(id: string): ModelChild | undefined {
    return this.children.find(child => child.spec.id === id)
  }

  /** A child ended by itself. Tells whether the supervisor is still up. */
  exit(id: string, reason: 'normal' | 'abnormal' | 'shutdown'): boolean {
    const child = this.find(id) as ModelChild
    this.#logExit(child, reason)
    const { restart, significant } = child.spec
    if (restart === 'permanent' || (restart === 'transient' && reason === 'abnormal')) return this.#restart(child)
    this.#stopped(child)
    const isDue =
      significant &&
      (this.spec.autoShutdown === 'any-significant' ||
        (this.spec.autoShutdown === 'all-significant' &&
          !this.children.some(other => other.spec.significant && other.state !== 'stopped')))
    if (!isDue) return true
    this.#endWith('auto-shutdown')
    return false
  }

  stop(): void {
    if (this.endReason === undefined) this.#endWith('shutdown')
  }

  startChild(spec: ModelChildSpec): string {
    const known = this.find(spec.id)
    if (known) return known.state === 'stopped' ? 'already_present' : 'already_started'
    const child: ModelChild = { spec, state: 'stopped' }
    this.children.push(child)
    // Another spec is another child: it counts its incarnations from 1.
    this.world.incarnations.delete(this.#pathOf(child))
    if (this.#startOne(child) !== 'fail') return 'ok'
    this.children = this.children.filter(other => other !== child)
    return 'start_failed'
  }

  terminateChild(id: string): string {
    const child = this.find(id)
    if (!child) return 'not_found'
    this.#terminate(child)
    this.#stopped(child)
    return 'ok'
  }

  restartChild(id: string): string {
    const child = this.find(id)
    if (!child) return 'not_found'
    if (child.state !== 'stopped') return child.state
    return this.#startOne(child) === 'fail' ? 'start_failed' : 'ok'
  }

  deleteChild(id: string): string {
    const child = this.find(id)
    if (!child) return 'not_found'
    if (child.state !== 'stopped') return child.state
    this.children = this.children.filter(other => other !== child)
    return 'ok'
  }

  #restart(failed: ModelChild): boolean {
    let child = failed
    for (;;) {
      const { now } = this.world
      this.units = [...this.units.filter(at => now - at <= this.spec.periodMs), now]
      if (this.units.length > this.spec.intensity) {
        this.#stopped(child)
        this.#endWith('intensity')
        return false
      }
      const next = this.#restartOnce(child)
      if (!next) return true
      child = next
    }
  }

  /** The child whose start failed, to be tried again. */
  #restartOnce(child: ModelChild): ModelChild | undefined {
    child.state = 'stopped'
    const from = this.spec.strategy === 'one-for-all' ? 0 : this.children.indexOf(child)
    const group = this.spec.strategy === 'one-for-one' ? [child] : this.children.slice(from)
    for (const member of [...group].reverse()) {
      this.#terminate(member)
      if (member.spec.restart === 'temporary') this.#stopped(member)
    }
    for (const member of group) {
      if (member.spec.restart === 'temporary') continue
      if (this.#startOne(member) !== 'fail') continue
      member.state = 'restarting'
      return member
    }
    return undefined
  }

  #startOne(child: ModelChild): StartResult {
    const path = this.#pathOf(child)
    const { nested } = child.spec
    let result: StartResult
    if (nested) {
      child.nested = new ModelSupervisor(nested, this.world, `${path}/`)
      result = child.nested.start() ? 'ok' : 'fail'
    } else result = this.#attempt(child.spec, path)
    if (result === 'ok') {
      child.state = 'running'
      this.world.log.push(`+${path}${this.world.next(this.world.incarnations, path)}`)
    }
    if (result === 'ignore') this.#stopped(child)
    return result
  }

  #attempt({ attempts }: ModelChildSpec, path: string): StartResult {
    const attempt = this.world.next(this.world.attempts, path)
    return attempts[(attempt - 1) % attempts.length] as StartResult
  }

  #terminate(child: ModelChild): void {
    const wasRunning = child.state === 'running'
    if (wasRunning) child.nested?.stop()
    if (wasRunning) this.#logExit(child, 'shutdown')
    child.state = 'stopped'
  }

  #stopped(child: ModelChild): void {
    child.state = 'stopped'
    if (child.spec.restart === 'temporary') this.children = this.children.filter(other => other !== child)
  }

  #endWith(reason: string): void {
    this.isUp = false
    this.endReason = reason
    for (const child of [...this.children].reverse()) this.#terminate(child)
  }

  #logExit(child: ModelChild, reason: string): void {
    const path = this.#pathOf(child)
    this.world.log.push(`-${path}${this.world.incarnations.get(path)} ${reason}`)
  }

  #pathOf(child: ModelChild): string {
    return `${this.path}${child.spec.id}`
  }
}

/** A leaf ends; whatever follows goes up the tree. */
export function leafEnds(root: ModelSupervisor, path: string, reason: 'normal' | 'abnormal'): void {
  const ids = path.split('/')
  const chain = [root]
  for (const id of ids.slice(0, -1)) {
    const nested = chain.at(-1)?.find(id)?.nested
    if (!nested) return
    chain.push(nested)
  }
  let why: 'normal' | 'abnormal' | 'shutdown' = reason
  for (let depth = chain.length - 1; depth >= 0; depth--) {
    if ((chain[depth] as ModelSupervisor).exit(ids[depth] as string, why)) return
    why = 'shutdown'
  }
}

/** Paths of the leaves that run. */
export function runningLeaves(supervisor: ModelSupervisor): string[] {
  return supervisor.children.flatMap(child => {
    if (child.state !== 'running') return []
    return child.nested ? runningLeaves(child.nested) : [`${supervisor.path}${child.spec.id}`]
  })
}
