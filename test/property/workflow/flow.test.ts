import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defineWorkflow, type WorkflowBuilder } from '../../../src/workflow/define-workflow.ts'
import { definitionOf } from '../../../src/workflow/definition.ts'
import { decompose, type Flow } from '../../../src/workflow/series-parallel.ts'
import { FlowDriver } from '../../support/flow-driver.ts'

/** For each stage the stages that it needs. */
type Graph = readonly (readonly number[])[]

/** Any graph, from sparse to dense. */
const anyGraph: fc.Arbitrary<Graph> = fc
  .integer({ min: 1, max: 12 })
  .chain(size =>
    fc.tuple(
      ...Array.from({ length: size }, (_, stage) => fc.subarray(Array.from({ length: stage }, (_, need) => need))),
    ),
  )

/** A graph of series and parallels only. */
const seriesParallelGraph: fc.Arbitrary<Graph> = fc
  .letrec<{ tree: Tree }>(tie => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constant<Tree>('stage'),
      fc.record({
        kind: fc.constantFrom('series' as const, 'parallel' as const),
        parts: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }),
      }),
    ),
  }))
  .tree.map(graphOf)

type Tree = 'stage' | { readonly kind: 'series' | 'parallel'; readonly parts: readonly Tree[] }

function graphOf(tree: Tree): Graph {
  const graph: number[][] = []
  const build = (part: Tree, sources: readonly number[]): readonly number[] => {
    if (part === 'stage') {
      graph.push([...sources])
      return [graph.length - 1]
    }
    if (part.kind === 'parallel') return part.parts.flatMap(inner => build(inner, sources))
    return part.parts.reduce<readonly number[]>((before, inner) => build(inner, before), sources)
  }
  build(tree, [])
  return graph
}

const nameOf = (stage: number): string => `s${stage}`

function workflowOf(graph: Graph): WorkflowBuilder {
  let workflow: WorkflowBuilder = defineWorkflow({ name: 'w', version: '1' })
  for (const [stage, needs] of graph.entries()) {
    workflow = workflow.stage(nameOf(stage), { needs: needs.map(nameOf) }, () => 1)
  }
  return workflow
}

/** What may run when these have ended, and nothing else has: the stages whose needs have all ended. */
const readyAfter = (graph: Graph, ended: ReadonlySet<number>): string[] =>
  graph.flatMap((needs, stage) => (!ended.has(stage) && needs.every(need => ended.has(need)) ? [nameOf(stage)] : []))

const sorted = (names: readonly string[]): string[] => [...names].sort()

function kindsIn(flow: Flow): string[] {
  if (flow.kind === 'series') return ['series', ...flow.parts.flatMap(kindsIn)]
  if (flow.kind === 'parallel') return ['parallel', ...flow.branches.flatMap(kindsIn)]
  return [flow.kind]
}

function stagesIn(flow: Flow): number[] {
  if (flow.kind === 'stage') return [flow.stage]
  if (flow.kind === 'net') return flow.members.flatMap(member => member.stages)
  return (flow.kind === 'series' ? flow.parts : flow.branches).flatMap(stagesIn)
}

describe('any graph of needs', () => {
  it('runs every stage once, as soon as what it needs has ended and not before, also when restored on the way', () => {
    fc.assert(
      fc.property(
        anyGraph,
        fc.array(fc.record({ pick: fc.nat(), restores: fc.boolean() }), { minLength: 12, maxLength: 12 }),
        (graph, moves) => {
          const driver = new FlowDriver(workflowOf(graph))
          const ended = new Set<number>()
          for (const { pick, restores } of moves.slice(0, graph.length)) {
            const ready = readyAfter(graph, ended)
            expect(sorted(driver.running)).toEqual(sorted(ready))
            if (restores) driver.restore()
            const stage = ready[pick % ready.length] as string
            driver.finish(stage)
            ended.add(Number(stage.slice(1)))
          }
          expect(driver.status).toBe('done')
          expect(driver.output).toBeUndefined()
          expect(sorted(driver.started)).toEqual(sorted(graph.map((_, stage) => nameOf(stage))))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('ends in failure with the stage that failed, and nothing runs on', () => {
    fc.assert(
      fc.property(anyGraph, fc.array(fc.nat(), { maxLength: 11 }), fc.nat(), (graph, picks, failing) => {
        const driver = new FlowDriver(workflowOf(graph))
        for (const pick of picks.slice(0, graph.length - 1)) {
          driver.finish(driver.running[pick % driver.running.length] as string)
        }
        const stage = driver.running[failing % driver.running.length] as string
        driver.fail(stage)
        expect(driver.value).toBe('(failed)')
        expect(driver.output).toEqual({ stage })
        expect(driver.running).toEqual([])
      }),
    )
  })

  it('is decomposed into all of its stages, each once', () => {
    fc.assert(
      fc.property(anyGraph, graph => {
        const stages = stagesIn(decompose(graph)).sort((a, b) => a - b)
        expect(stages).toEqual(graph.map((_, stage) => stage))
      }),
    )
  })

  it('gives each stage the ancestors that can be reached through needs', () => {
    fc.assert(
      fc.property(anyGraph, graph => {
        const reachable = (stage: number): Set<number> =>
          new Set((graph[stage] ?? []).flatMap(need => [need, ...reachable(need)]))
        const { stages } = definitionOf(workflowOf(graph))
        for (const stage of graph.keys()) {
          const expected = [...reachable(stage)].sort((a, b) => a - b).map(nameOf)
          expect(stages.get(nameOf(stage))?.ancestors).toEqual(expected)
        }
      }),
    )
  })
})

describe('a graph of series and parallels', () => {
  it('never needs regions that wait', () => {
    fc.assert(
      fc.property(seriesParallelGraph, graph => {
        expect(kindsIn(decompose(graph))).not.toContain('net')
      }),
    )
  })
})
