/**
 * What an operator may decide about one stage in place of its function: that it is not needed, or that its result is
 * known. Both are ends of the stage like any other, with who said so and why in the journal before them.
 */
import { OptionsError } from '../../errors.ts'
import type { JsonText } from '../../store/store.ts'
import type { JournalEventType } from '../../telemetry/catalogue.ts'
import type { WorkflowDefinition } from '../../workflow/definition.ts'
import { encodeJson, wrapResult } from '../../workflow/results.ts'
import { itemOf, type RunMemory } from '../run/run-memory.ts'
import { checkedValue } from '../stage/checked-value.ts'

export interface Override {
  readonly stage: string
  readonly as: 'succeeded' | 'skipped'
  readonly result: JsonText | undefined
  /** The journal row of the end. */
  readonly row: { readonly type: JournalEventType; readonly data: JsonText }
}

export const skipped = (stage: string): Override => ({
  stage,
  as: 'skipped',
  result: undefined,
  row: { type: 'stage.skipped', data: '{}' },
})

/** @throws ValidationError where the result is no JSON, or not what the stage's `output` declares */
export function completed(definition: WorkflowDefinition, memory: RunMemory, stage: string, result: unknown): Override {
  const where = `result of stage '${stage}'`
  const { output, kind } = definition.stages.get(sourceOf(memory, stage)) ?? {}
  if (kind === 'map' && !stage.includes('[')) {
    throw new OptionsError(
      `'${stage}' is a map, whose result is that of its items; complete an item (\`${stage}[key]\`), or skip the map`,
      { stage },
    )
  }
  const text = encodeJson(output ? checkedValue(output, result, where, { stage }) : result, where)
  return { stage, as: 'succeeded', result: text, row: { type: 'stage.succeeded', data: wrapResult(text) } }
}

/** Under which name the definition has the stage: of an item its map. */
const sourceOf = (memory: RunMemory, stage: string): string =>
  memory.ownStages.sources.get(stage) ?? (itemOf(memory, stage) ? stage.slice(0, stage.indexOf('[')) : stage)

/**
 * @throws OptionsError for a stage that the workflow has not, an item that was not found, and a stage that has ended
 * well already
 */
export function refuseOverride(definition: WorkflowDefinition, memory: RunMemory, stage: string): void {
  refuseUnknown(definition, memory, stage)
  const outcome = memory.stages.get(stage)?.outcome
  if (outcome === 'succeeded' || outcome === 'fell_back' || outcome === 'skipped') {
    throw new OptionsError(
      `stage '${stage}' has ended already (${outcome.replace('_', ' ')}); run it again with redo, or fork the run from it`,
      { stage, outcome },
    )
  }
}

/** @throws OptionsError that names the stages there are */
export function refuseUnknown(definition: WorkflowDefinition, memory: RunMemory, stage: string): void {
  if (definition.stages.has(stage) && definition.origin === 'built') return
  if (memory.stages.has(stage) || itemOf(memory, stage)) return
  const map = memory.maps.get(stage.slice(0, Math.max(0, stage.indexOf('['))))
  if (map) {
    const [first, second, third, ...more] = map.keys
    const keys = [first, second, third].filter(key => key !== undefined).map(key => `'${key}'`)
    throw new OptionsError(
      `the map has no item '${stage}'; its keys are ${keys.join(', ') || 'none'}${more.length > 0 ? ` and ${more.length} more` : ''}`,
      { stage },
    )
  }
  const known = definition.origin === 'built' ? [...definition.stages.keys()] : [...memory.stages.keys()]
  throw new OptionsError(
    `the run has no stage '${stage}'; it has ${known.map(name => `'${name}'`).join(', ') || 'none yet'}`,
    { stage },
  )
}
