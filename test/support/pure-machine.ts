/**
 * A machine in a test's hand, by pure transitions only: no actor runs. Each event is applied twice and must give the
 * same, the context must pass its schema after each, and `restore` puts the snapshot through JSON text as the death of
 * a process and the next one would. What the machine asked of its runtime with the last event is in `requests`.
 */
import { expect } from 'vitest'
import { type AnyMachineSnapshot, type AnyStateMachine, createActor, initialTransition, transition } from 'xstate'
import type { ZodType } from 'zod'

export interface Request {
  readonly type: string
  readonly params: unknown
}

export class PureMachine {
  readonly #machine: AnyStateMachine
  readonly #schema: ZodType
  #snapshot: AnyMachineSnapshot
  #requests: readonly Request[]

  constructor(machine: AnyStateMachine, schema: ZodType, input?: unknown) {
    this.#machine = machine
    this.#schema = schema
    const [snapshot, actions] = initialTransition(machine, input as never)
    this.#snapshot = snapshot
    this.#requests = actions
    this.#check()
  }

  get value(): unknown {
    return this.#snapshot.value
  }

  get context(): Readonly<Record<string, unknown>> {
    return this.#snapshot.context
  }

  get output(): unknown {
    return this.#snapshot.output
  }

  get isDone(): boolean {
    return this.#snapshot.status === 'done'
  }

  /** The children that are alive, by id, in the order in which they were started. */
  get children(): readonly string[] {
    return Object.keys(this.#snapshot.children)
  }

  /** The actions without effect of its own that the last event led to, in order. */
  get requests(): readonly Request[] {
    return this.#requests.filter(({ type }) => !type.startsWith('xstate.'))
  }

  /** The children that the last event started, by id, in order. */
  get started(): readonly string[] {
    return this.#requests
      .filter(({ type }) => type === 'xstate.spawnChild')
      .map(({ params }) => (params as { id: string }).id)
  }

  /** The whole of what can be told from outside; equal ones behave alike. */
  get state(): object {
    const { value, context, status, output } = this.#snapshot
    return { value, context, status, output, children: this.children }
  }

  send(event: { readonly type: string }): void {
    const [next, actions] = transition(this.#machine, this.#snapshot, event as never)
    const [again, sameActions] = transition(this.#machine, this.#snapshot, event as never)
    expect({ value: again.value, context: again.context }).toEqual({ value: next.value, context: next.context })
    expect(sameActions.map(({ type }) => type)).toEqual(actions.map(({ type }) => type))
    this.#snapshot = next
    this.#requests = actions
    this.#check()
  }

  /** The process dies and the next one restores the snapshot: nothing may be lost, and nothing is asked for anew. */
  restore(): void {
    const before = this.state
    const text = JSON.stringify(this.#machine.getPersistedSnapshot(this.#snapshot))
    this.#snapshot = createActor(this.#machine, { snapshot: JSON.parse(text) }).getSnapshot()
    this.#requests = []
    expect(this.state).toEqual(before)
  }

  #check(): void {
    expect(this.#snapshot.status).not.toBe('error')
    expect(this.#schema.parse(JSON.parse(JSON.stringify(this.context)))).toEqual(this.context)
  }
}
