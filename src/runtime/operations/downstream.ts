/**
 * What has to run again with a stage: the stage, what needs it, and what needs that. Stages that do not depend on it
 * keep what they gave. An item runs again alone: its map keeps its items, and what needs the map follows.
 */
import type { WorkflowDefinition } from '../../workflow/definition.ts'
import type { RunMemory } from '../run/run-memory.ts'

export interface Downstream {
  /** Stages and items whose end is forgotten. */
  readonly again: readonly string[]
  /** Maps whose items are found anew. */
  readonly anew: readonly string[]
  /** Stages and items, of a map in it all of them, whose effects are not taken over. */
  readonly effects: readonly string[]
}

export function downstreamOf(definition: WorkflowDefinition, memory: RunMemory, stage: string): Downstream {
  const open = stage.indexOf('[')
  const isItem = definition.origin === 'built' && open >= 0
  const whole = isItem ? stage.slice(0, open) : stage
  const after = [...definition.stages.values()].filter(({ ancestors }) => ancestors.includes(whole))
  const names = [...(isItem ? [] : [whole]), ...after.map(({ name }) => name)]
  const items = [...memory.stages.keys()].filter(name => names.some(map => name.startsWith(`${map}[`)))
  return {
    again: [...(isItem ? [stage, whole] : []), ...names, ...items],
    anew: names.filter(name => definition.stages.get(name)?.kind === 'map'),
    effects: [...(isItem ? [stage] : []), ...names, ...items],
  }
}
