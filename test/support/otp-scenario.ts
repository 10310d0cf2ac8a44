/**
 * Scenarios that are given to Erlang/OTP and to `createSupervisor` alike: a tree of supervisors, and what happens to it.
 * Both tell what happened as the same short lines, a list of them for each step: `+n/a` started, `-n/a abnormal` ended,
 * `escalated n`, what a call replied, and how the tree looks once nothing is under way.
 */
import { setup } from 'xstate'
import {
  type ChildSpec,
  createSupervisor,
  type Supervisor,
  type SupervisorEvent,
  type SupervisorSpec,
} from '../../src/supervisor.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { stillborn } from './supervised-worker.ts'

export interface TreeSpec {
  readonly strategy: 'one-for-one' | 'one-for-all' | 'rest-for-one'
  readonly intensity: number
  readonly periodMs: number
  readonly autoShutdown: 'never' | 'any-significant' | 'all-significant'
  readonly children: readonly TreeChild[]
}

export interface TreeChild {
  readonly id: string
  readonly restart: 'permanent' | 'transient' | 'temporary'
  readonly significant: boolean
  readonly work: WorkerPlan | TreeSpec
}

export interface WorkerPlan {
  /** How the start attempts go, over and over. */
  readonly attempts: readonly Attempt[]
  /** What the child does when it is asked to stop; one that ignores it gets no time, and `kill` is not even asked. */
  readonly onShutdown: 'obey' | 'finish' | 'crash' | 'ignore' | 'kill'
}

export interface Attempt {
  /** `done`: it starts, and has ended normally as the start returns. */
  readonly result: 'ok' | 'fail' | 'throw' | 'garbage' | 'ignore' | 'done'
  /** What is asked of its supervisor while the start is under way. */
  readonly calls: readonly Call[]
}

export type Call =
  | { readonly kind: 'start'; readonly child: TreeChild }
  | { readonly kind: 'terminate' | 'restart' | 'delete'; readonly id: string }

export type Command =
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'fail' | 'finish'; readonly path: string }
  | { readonly kind: 'call'; readonly path: string; readonly call: Call }

export interface Scenario {
  readonly tree: TreeSpec
  readonly commands: readonly Command[]
}

const mostCalls = 8

const isTree = (work: WorkerPlan | TreeSpec): work is TreeSpec => 'children' in work

// As Erlang terms

export const erlangOf = ({ tree, commands }: Scenario): string =>
  `{${treeTerm(tree)},${listTerm(commands, commandTerm)}}`

const listTerm = <T>(items: readonly T[], term: (item: T) => string): string => `[${items.map(term).join(',')}]`

function treeTerm({ strategy, intensity, periodMs, autoShutdown, children }: TreeSpec): string {
  const atoms = [strategy, intensity, periodMs, autoShutdown].map(value => String(value).replaceAll('-', '_'))
  return `{${atoms.join(',')},${listTerm(children, childTerm)}}`
}

function childTerm({ id, restart, significant, work }: TreeChild): string {
  if (isTree(work)) return `{"${id}",${restart},${significant},infinity,{supervisor,${treeTerm(work)}}}`
  const shutdown = { obey: '5000', finish: 'infinity', crash: 'infinity', ignore: '0', kill: 'brutal_kill' }
  const attempts = listTerm(work.attempts, ({ result, calls }) => `{${result},${listTerm(calls, callTerm)}}`)
  return `{"${id}",${restart},${significant},${shutdown[work.onShutdown]},{worker,${attempts},${work.onShutdown}}}`
}

const callTerm = (call: Call): string =>
  call.kind === 'start' ? `{start,${childTerm(call.child)}}` : `{${call.kind},"${call.id}"}`

function commandTerm(command: Command): string {
  if (command.kind === 'advance') return `{advance,${command.ms}}`
  if (command.kind === 'call') return `{call,"${command.path}",${callTerm(command.call)}}`
  return `{worker,"${command.path}",${command.kind}}`
}

// As supervisors of ours

/** Does what the scenario says to a supervisor of ours, on a virtual clock. */
export async function runLive(
  { tree, commands }: Scenario,
  onEvent: (event: SupervisorEvent) => void = () => {},
): Promise<string[][]> {
  const world = new LiveWorld(tree, onEvent)
  const steps: string[][] = []
  const started = world.sup.start().then(
    () => true,
    () => false,
  )
  await world.clock.advance(0)
  const hasStarted = await started
  if (hasStarted) steps.push(await world.step('ok'))
  for (const command of hasStarted ? commands : []) {
    if (world.hasEnded) break
    steps.push(await world.step(await world.apply(command)))
  }
  void world.sup.stop()
  await world.clock.advance(0)
  const { reason } = await world.sup.stopped
  if (world.clock.pending > 0) throw new Error(`${world.clock.pending} timers are left`)
  return [...steps, [...world.takeLog(), `end ${reason}`]]
}

class LiveWorld {
  readonly clock = virtualClock(0)
  readonly sup: Supervisor
  hasEnded = false
  #log: string[] = []
  #lateReplies: string[] = []
  /** A start that asks for a start that asks for a start would go on for ever, in both. */
  #callsLeft = mostCalls
  readonly #attempts = new Map<string, number>()

  constructor(tree: TreeSpec, onEvent: (event: SupervisorEvent) => void) {
    const note = (event: SupervisorEvent): void => {
      this.#note(event)
      onEvent(event)
    }
    this.sup = createSupervisor({ ...this.#spec(tree, ''), clock: this.clock, onEvent: note })
    void this.sup.stopped.then(() => {
      this.hasEnded = true
    })
  }

  #note(event: SupervisorEvent): void {
    if (event.type === 'child.started') this.#log.push(`+${event.id}`)
    else if (event.type === 'child.exited') this.#log.push(`-${event.id} ${event.reason}`)
    else if (event.type === 'escalated') this.#log.push(`escalated ${event.supervisor ?? ''}`)
  }

  takeLog(): string[] {
    return this.#log.splice(0)
  }

  /** Waits until nothing is under way, and tells all. */
  async step(reply: string): Promise<string[]> {
    await this.clock.advance(0)
    const late = this.#lateReplies.splice(0).sort()
    return [...this.takeLog(), `reply ${reply}`, ...late, ...(this.hasEnded ? [] : looks(this.sup, ''))]
  }

  async apply(command: Command): Promise<string> {
    if (command.kind === 'advance') {
      await this.clock.advance(command.ms)
      return 'ok'
    }
    if (command.kind === 'call') {
      const supervisor = this.#supervisorAt(command.path)
      if (!supervisor) return 'skipped'
      const reply = this.#call(supervisor, command.path, command.call)
      // A child that is given no time to stop is killed in a later turn.
      await this.clock.advance(0)
      return reply
    }
    if (!isRunning(this.sup, command.path, 'worker')) return 'skipped'
    this.sup.child(command.path).send({ type: command.kind === 'fail' ? 'FAIL' : 'FINISH' })
    return 'ok'
  }

  #supervisorAt(path: string): Supervisor | undefined {
    if (path === '') return this.sup
    return isRunning(this.sup, path, 'supervisor') ? this.sup.supervisor(path) : undefined
  }

  #call(supervisor: Supervisor, path: string, call: Call): Promise<string> {
    const prefix = path === '' ? '' : `${path}/`
    const promise =
      call.kind === 'start'
        ? supervisor.startChild(this.#child(call.child, prefix))
        : supervisor[`${call.kind}Child`](call.id)
    return promise.then(
      () => 'ok',
      error => (error.code === 'supervisor_stopped' ? 'no answer' : error.code),
    )
  }

  #spec({ periodMs, children, ...rest }: TreeSpec, prefix: string): SupervisorSpec {
    return { ...rest, period: periodMs, children: children.map(child => this.#child(child, prefix)) }
  }

  #child({ work, ...spec }: TreeChild, prefix: string): ChildSpec {
    const place = `${prefix}${spec.id}`
    if (isTree(work)) return { ...spec, logic: this.#spec(work, `${place}/`) }
    const shutdown = { obey: 5000, finish: 'infinity', crash: 'infinity', ignore: 0, kill: 'brutal-kill' } as const
    return {
      ...spec,
      shutdown: shutdown[work.onShutdown],
      logic: () => this.#attempt(work, place, prefix.slice(0, -1)) as never,
    }
  }

  #attempt({ attempts, onShutdown }: WorkerPlan, place: string, supervisorPath: string): unknown {
    const count = this.#attempts.get(place) ?? 0
    this.#attempts.set(place, count + 1)
    const { result, calls } = attempts[count % attempts.length] as Attempt
    for (const call of calls) {
      if (this.#callsLeft-- <= 0) break
      const supervisor = supervisorPath === '' ? this.sup : this.sup.supervisor(supervisorPath)
      void this.#call(supervisor, supervisorPath, call).then(said => {
        this.#lateReplies.push(`late ${call.kind} ${said}`)
      })
    }
    if (result === 'throw') throw new Error('its function for logic throws')
    const results = { fail: stillborn, garbage: 42, ignore: 'ignore', done: doneAtOnce, ok: workers[onShutdown] }
    return results[result]
  }
}

function isRunning(sup: Supervisor, path: string, type: 'worker' | 'supervisor'): boolean {
  const [id, ...below] = path.split('/') as [string, ...string[]]
  const child = sup.whichChildren().find(known => known.id === id)
  if (child?.status !== 'running') return false
  if (below.length === 0) return child.type === type
  return child.type === 'supervisor' && isRunning(sup.supervisor(id), below.join('/'), type)
}

function looks(supervisor: Supervisor, path: string): string[] {
  const { specs, active, supervisors, workers: others } = supervisor.countChildren()
  const lines = [`count ${path} specs ${specs} active ${active} supervisors ${supervisors} workers ${others} `]
  for (const { id, status, type } of supervisor.whichChildren()) {
    lines.push(`state ${path}${id} ${status}`)
    if (type === 'supervisor' && status === 'running') lines.push(...looks(supervisor.supervisor(id), `${path}${id}/`))
  }
  return lines
}

const doneAtOnce = setup({}).createMachine({
  type: 'final' as never,
  initial: 'over',
  states: { over: { type: 'final' } },
})

const machine = setup({
  actions: {
    crash: () => {
      throw new Error('crashed on demand')
    },
  },
})

const ends = { FAIL: { actions: 'crash' }, FINISH: '.over' } as const
const states = { work: {}, over: { type: 'final' } } as const
const obeying = machine.createMachine({ initial: 'work', states, on: ends })

const workers = {
  obey: obeying,
  kill: obeying,
  finish: machine.createMachine({ initial: 'work', states, on: { ...ends, SHUTDOWN: '.over' } }),
  crash: machine.createMachine({ initial: 'work', states, on: { ...ends, SHUTDOWN: { actions: 'crash' } } }),
  ignore: machine.createMachine({ initial: 'work', states, on: { ...ends, SHUTDOWN: '.work' } }),
}
