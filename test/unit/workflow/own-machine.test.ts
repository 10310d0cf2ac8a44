import { describe, expect, it } from 'vitest'
import { assign, createActor, fromPromise, setup, spawnChild, toPromise } from 'xstate'
import { z } from 'zod'
import { OptionsError } from '../../../src/errors.ts'
import { definitionOf, isWorkflow } from '../../../src/workflow/definition.ts'
import { workflowFromMachine } from '../../../src/workflow/own-machine.ts'
import { stageActor, stageOf } from '../../../src/workflow/stage-actor.ts'

const run = async () => 1
const actors = { collect: stageActor({ timeout: '3s', optional: true }, run), plain: fromPromise(run) }
const parts = setup({ actors, actions: { note: () => {} }, guards: { isReady: () => true } })

const machine = parts.createMachine({
  id: 'own',
  initial: 'collecting',
  states: {
    collecting: { invoke: { src: 'collect', id: 'collect', onDone: 'waiting' } },
    waiting: { after: { 1000: 'done' }, on: { GO: 'done', 'xstate.error.actor.x': 'done' } },
    done: { type: 'final' },
  },
})

// biome-ignore lint/suspicious/noExplicitAny: machines that are wrong are what is tested
const wrap = (wrong: any) => workflowFromMachine({ name: 'own', version: '1', machine: wrong })
// biome-ignore lint/suspicious/noExplicitAny: machines that are wrong are what is tested
const made = (config: any) => parts.createMachine({ id: 'own', ...config })

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError)
    return (error as Error).message
  }
  throw new Error('nothing was refused')
}

describe('a machine of one’s own', () => {
  it('is a workflow that keeps the machine as it is', () => {
    const migrate = (snapshot: unknown) => snapshot
    const workflow = workflowFromMachine({ name: 'own', version: '1', machine, migrate, task: 'research' })
    expect(isWorkflow(workflow)).toBe(true)
    const definition = definitionOf(workflow)
    expect(definition).toMatchObject({ name: 'own', version: '1', origin: 'machine', task: 'research', migrate })
    expect(definition.machine).toBe(machine)
    expect(definitionOf(workflow)).toBe(definition)
  })

  it('gives its stages by the name of their source, those of machines inside by path', () => {
    const outer = setup({ actors: { inner: machine, last: stageActor(run) } }).createMachine({
      id: 'outer',
      initial: 'a',
      states: { a: { invoke: { src: 'inner', onDone: 'b' } }, b: { invoke: { src: 'last' } } },
    })
    const { stages } = definitionOf(wrap(outer))
    expect([...stages.keys()].sort()).toEqual(['inner/collect', 'last'])
  })

  it('is refused when it is no machine of XState v5', () => {
    for (const wrong of [{}, () => 1, fromPromise(run), { config: {}, states: {} }]) {
      expect(refusal(() => wrap(wrong))).toContain('must be an XState v5 machine')
    }
    expect(refusal(() => wrap(undefined))).toContain('machine')
  })

  it('is refused without an id', () => {
    expect(refusal(() => wrap(parts.createMachine({})))).toContain('needs an id')
  })

  it('is refused with an actor that has no name, and told how to mend it', () => {
    const mend = "write src: 'fetchUser'"
    expect(refusal(() => wrap(made({ invoke: { src: actors.plain } })))).toContain(mend)
    expect(
      refusal(() => wrap(made({ initial: 'a', states: { a: { invoke: [{ src: 'plain' }, { src: machine }] } } }))),
    ).toContain("state 'own.a'")
    expect(refusal(() => wrap(made({ entry: spawnChild(machine) })))).toContain(mend)
    expect(refusal(() => wrap(made({ on: { GO: { actions: ['note', spawnChild(machine)] } } })))).toContain(mend)
  })

  it('is refused when a machine that it invokes has such an actor', () => {
    const inner = made({ invoke: { src: actors.plain } })
    const outer = setup({ actors: { inner } }).createMachine({ id: 'outer', invoke: { src: 'inner' } })
    expect(refusal(() => wrap(outer))).toContain("machine 'inner'")
  })

  it('is refused with an actor that setup does not have, which XState would never say', () => {
    expect(refusal(() => wrap(made({ invoke: { src: 'colect' } })))).toContain("did you mean 'collect'?")
  })

  it('may spawn an actor by its name', () => {
    expect(() => wrap(made({ entry: [assign({}), spawnChild('plain')] }))).not.toThrow()
  })

  it.each(['xstate.stop', 'xstate.init', 'xstate.*'])('is refused when it listens to %s', event => {
    expect(refusal(() => wrap(made({ on: { [event]: {} } })))).toContain(event)
  })

  it('is refused with an unknown option', () => {
    expect(
      refusal(() => workflowFromMachine({ name: 'own', version: '1', machine, migrat: () => {} } as never)),
    ).toContain("did you mean 'migrate'?")
  })
})

describe('a stage actor', () => {
  it('carries its stage', () => {
    const input = z.object({ file: z.string() })
    const stage = stageOf(stageActor({ input, timeout: '1m', restart: 'temporary' }, ({ input }) => input.file))
    expect(stage).toMatchObject({ name: '', kind: 'stage', needs: [], ancestors: [], timeoutMs: 60_000, input })
    expect(stage?.restart).toBe('temporary')
  })

  it('is told from other logic', () => {
    expect(stageOf(fromPromise(run))).toBeUndefined()
    expect(stageOf(undefined)).toBeUndefined()
    expect(stageOf('collect')).toBeUndefined()
  })

  it('fails outside a runtime with a sentence that says what to do', async () => {
    const actor = createActor(stageActor(run), { id: 'collect' })
    actor.subscribe({ error: () => {} })
    actor.start()
    await expect(toPromise(actor)).rejects.toThrow(/stage 'collect' runs inside createRuntime.*workflowFromMachine/)
  })

  it('is refused for options of the flow, which the machine decides', () => {
    expect(refusal(() => stageActor({ needs: ['a'] } as never, run))).toContain("unknown option 'needs'")
  })

  it('is refused without a function', () => {
    expect(refusal(() => stageActor({} as never))).toContain('the function to run')
  })
})
