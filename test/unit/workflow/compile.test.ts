import { describe, expect, it } from 'vitest'
import type { AnyStateNode } from 'xstate'
import { OptionsError } from '../../../src/errors.ts'
import { defineWorkflow, type WorkflowBuilder } from '../../../src/workflow/define-workflow.ts'
import { definitionOf } from '../../../src/workflow/definition.ts'
import { FlowDriver } from '../../support/flow-driver.ts'

const run = () => 1

/** A workflow from `{ stage: needs }`. */
function flow(needs: Record<string, readonly string[]>): WorkflowBuilder {
  let workflow: WorkflowBuilder = defineWorkflow({ name: 'my.flow', version: '3' })
  for (const [name, names] of Object.entries(needs)) workflow = workflow.stage(name, { needs: names }, run)
  return workflow
}

const chain = (length: number): WorkflowBuilder => {
  let workflow: WorkflowBuilder = defineWorkflow({ name: 'chain', version: '1' })
  for (let stage = 0; stage < length; stage++) workflow = workflow.stage(`s${stage}`, run)
  return workflow
}

function* nodesOf(node: AnyStateNode): Generator<AnyStateNode> {
  yield node
  for (const child of Object.values(node.states)) yield* nodesOf(child as AnyStateNode)
}

describe('the machine of a workflow', () => {
  it('has its name and version', () => {
    const { machine } = definitionOf(flow({ a: [] }))
    expect(machine.id).toBe('my.flow')
    expect(machine.version).toBe('3')
  })

  it('runs a chain as sequential states', () => {
    const driver = new FlowDriver(flow({ a: [], b: ['a'], c: ['b'] }))
    expect(driver.value).toBe('a')
    driver.finish('a')
    expect(driver.value).toBe('b')
    driver.finish('b')
    driver.finish('c')
    expect(driver.value).toBe('(done)')
    expect(driver.status).toBe('done')
    expect(driver.output).toBeUndefined()
    expect(driver.started).toEqual(['a', 'b', 'c'])
  })

  it('runs a fork as regions that are joined', () => {
    const driver = new FlowDriver(flow({ a: [], b: ['a'], c: ['a'], d: ['b', 'c'] }))
    driver.finish('a')
    expect(driver.value).toEqual({ '(fork 1)': { b: 'running', c: 'running' } })
    driver.finish('c')
    expect(driver.value).toEqual({ '(fork 1)': { b: 'running', c: 'done' } })
    driver.finish('b')
    expect(driver.value).toBe('d')
  })

  it('lets the branches of a fork run at their own pace', () => {
    const driver = new FlowDriver(flow({ a: [], a2: ['a'], b: [], b2: ['b'], end: ['a2', 'b2'] }))
    driver.finish('a')
    expect(driver.value).toEqual({ '(fork 1)': { a: 'a2', b: 'b' } })
    driver.finish('a2')
    driver.finish('b')
    driver.finish('b2')
    expect(driver.value).toBe('end')
  })

  it('runs what has no join as regions that wait for their needs', () => {
    const driver = new FlowDriver(flow({ a: [], b: [], c: ['a'], d: ['a', 'b'] }))
    expect(driver.value).toEqual({ '(net 1)': { a: 'running', b: 'running', c: 'waiting', d: 'waiting' } })
    driver.finish('a')
    expect(driver.value).toEqual({ '(net 1)': { a: 'done', b: 'running', c: 'running', d: 'waiting' } })
    driver.finish('b')
    expect(driver.running).toEqual(['c', 'd'])
  })

  it('confines such regions to the part that needs them', () => {
    const driver = new FlowDriver(
      flow({ first: [], a: ['first'], b: ['first'], c: ['a'], d: ['a', 'b'], last: ['c', 'd'], after: ['last'] }),
    )
    expect(driver.value).toBe('first')
    driver.finish('first')
    expect(Object.keys(driver.value as object)).toEqual(['(net 1)'])
    for (const stage of ['a', 'b', 'c', 'd']) driver.finish(stage)
    expect(driver.value).toBe('last')
  })

  it('keeps a chain inside such a part in one region', () => {
    const driver = new FlowDriver(flow({ a: [], b: [], c: ['a'], c2: ['c'], c3: ['c2'], d: ['a', 'b'] }))
    expect(Object.keys((driver.value as Record<string, object>)['(net 1)'] as object)).toEqual(['a', 'b', 'c', 'd'])
  })

  it('ends in (failed) and names the stage that failed', () => {
    const driver = new FlowDriver(flow({ a: [], b: [], c: ['a', 'b'] }))
    driver.fail('b')
    expect(driver.value).toBe('(failed)')
    expect(driver.status).toBe('done')
    expect(driver.output).toEqual({ stage: 'b' })
    expect(driver.running).toEqual([])
  })

  it('takes the names that objects have by themselves as stages', () => {
    const driver = new FlowDriver(
      flow({ constructor: [], toString: [], valueOf: ['constructor'], hasOwnProperty: ['constructor', 'toString'] }),
    )
    for (const stage of ['constructor', 'toString', 'valueOf', 'hasOwnProperty']) driver.finish(stage)
    expect(driver.output).toBeUndefined()
    expect(driver.status).toBe('done')
  })

  it('describes every state, names every actor and marks stages and maps', () => {
    const workflow = flow({ a: [], b: [], c: ['a'], d: ['a', 'b'] })
      .map('m', { over: () => [], description: 'each file' }, run)
      .stage('end', run)
    const nodes = [...nodesOf(definitionOf(workflow).machine.root as AnyStateNode)]
    for (const node of nodes) expect(node.description, node.id).toBeTruthy()
    const invoking = nodes.filter(node => node.invoke.length > 0)
    expect(invoking.map(node => node.invoke[0]?.id)).toEqual(['a', 'b', 'c', 'd', 'm', 'end'])
    const map = invoking.find(node => node.invoke[0]?.id === 'm')
    expect(map).toMatchObject({ description: 'each file', tags: ['stage', 'map'] })
    expect(map?.invoke[0]).toMatchObject({ src: 'map', input: { stage: 'm' } })
    expect(invoking[0]?.tags).toEqual(['stage'])
    expect(invoking[0]?.invoke[0]).toMatchObject({ src: 'stage', input: { stage: 'a' } })
  })

  it('takes 100 parallel stages and refuses 101, pointing to .map', () => {
    const parallel = (count: number) => flow(Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, []])))
    expect(() => definitionOf(parallel(100))).not.toThrow()
    expect(() => definitionOf(parallel(101))).toThrow(OptionsError)
    expect(() => definitionOf(parallel(101))).toThrow(/101 .* in parallel .* more than 100; use one \.map/)
  })

  it('costs about the same a stage in a chain of 4,000 as in one of 200', () => {
    const perStage = (length: number): number => {
      const workflow = chain(length)
      const begun = performance.now()
      const driver = new FlowDriver(workflow)
      for (let stage = 0; stage < length; stage++) driver.finish(`s${stage}`)
      expect(driver.status).toBe('done')
      return (performance.now() - begun) / length
    }
    perStage(200)
    expect(perStage(4000) / perStage(200)).toBeLessThan(8)
  })
})
