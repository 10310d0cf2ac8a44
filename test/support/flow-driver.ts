/**
 * Drives the machine of a workflow stage by stage, without a runtime: every stage runs until the test finishes or fails
 * it. `restore` puts the machine's snapshot through JSON, as a restart of the process would.
 */
import { type ActorLogic, createActor, type EventObject, type Snapshot } from 'xstate'
import { type AnyWorkflow, definitionOf } from '../../src/workflow/definition.ts'

type HeldLogic = ActorLogic<Snapshot<unknown>, EventObject & { error?: unknown }, { stage: string }>

const held = (started: string[]): HeldLogic => ({
  transition: (snapshot, event) => {
    if (event.type === 'finish') return { status: 'done', output: undefined, error: undefined }
    if (event.type === 'fail') return { status: 'error', output: undefined, error: event.error }
    return snapshot
  },
  getInitialSnapshot: (_scope, input) => {
    started.push(input.stage)
    return { status: 'active', output: undefined, error: undefined }
  },
  getPersistedSnapshot: snapshot => snapshot,
})

export class FlowDriver {
  /** The stages in the order in which they started. */
  readonly started: string[] = []
  readonly #machine
  #actor

  constructor(workflow: AnyWorkflow) {
    const logic = held(this.started)
    this.#machine = definitionOf(workflow).machine.provide({ actors: { stage: logic, map: logic } } as never)
    this.#actor = this.#start(undefined)
  }

  get running(): string[] {
    const { children } = this.#actor.getSnapshot()
    return Object.keys(children).filter(name => children[name]?.getSnapshot().status === 'active')
  }

  get status(): string {
    return this.#actor.getSnapshot().status
  }

  get value(): unknown {
    return this.#actor.getSnapshot().value
  }

  get output(): unknown {
    return this.#actor.getSnapshot().output
  }

  finish(stage: string): void {
    this.#actor.getSnapshot().children[stage]?.send({ type: 'finish' })
  }

  fail(stage: string): void {
    this.#actor.getSnapshot().children[stage]?.send({ type: 'fail', error: new Error('by the test') })
  }

  restore(): void {
    const text = JSON.stringify(this.#actor.getPersistedSnapshot())
    this.#actor.stop()
    this.#actor = this.#start(JSON.parse(text))
  }

  #start(snapshot: Snapshot<unknown> | undefined) {
    const actor = createActor(this.#machine, snapshot ? { snapshot } : {})
    actor.subscribe({ error: () => {} })
    return actor.start()
  }
}
