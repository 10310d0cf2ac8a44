/** Finds the items of a map: asks `over` once, checks what it gave, and writes it down before the first item starts. */

import type { MapMachineEvent } from '../../../machines/map.machine.ts'
import { StageError, ValidationError } from '../../errors.ts'
import type { MapDefinition, StageDefinition } from '../../workflow/definition.ts'
import { encodeJson } from '../../workflow/results.ts'
import { checkName } from '../names.ts'
import type { LiveRun } from '../run/live.ts'
import { describeFailure } from './failure.ts'

/** More items than this in one map are refused; a child run takes the rest. */
const mostItems = 10_000

export function openMap(run: LiveRun, name: string): MapMachineEvent {
  const known = run.memory.maps.get(name)
  // Of a run that was reopened: its items are found once.
  if (known) return { type: 'MAP_OPENED', total: known.keys.length }
  const definition = run.definition.stages.get(name) as StageDefinition
  const map = definition.map as MapDefinition
  try {
    const given = askOver(run, definition, map)
    const texts = given.map((item, index) => encodeJson(item, `item ${index} of map '${name}'`) ?? 'null')
    const keys = given.map((item, index) => keyOf(map, item, index, name))
    refuseDuplicates(name, keys)
    run.journalText('map.opened', `{"keys":${JSON.stringify(keys)},"items":[${texts.join(',')}]}`, { stage: name })
    return { type: 'MAP_OPENED', total: keys.length }
  } catch (error) {
    return { type: 'MAP_REFUSED', failure: describeFailure(error) }
  }
}

function askOver(run: LiveRun, definition: StageDefinition, map: MapDefinition): readonly unknown[] {
  let given: unknown
  try {
    given = map.over({ input: run.input, results: run.resultsOf(definition.ancestors) })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new StageError(
      `\`over\` of map '${definition.name}' threw: ${message}`,
      { stage: definition.name },
      { cause: error },
    )
  }
  if (!Array.isArray(given)) {
    throw new ValidationError(
      `\`over\` of map '${definition.name}' must return an array, and returned ${describe(given)}`,
      { stage: definition.name },
    )
  }
  if (given.length > mostItems) {
    throw new ValidationError(
      `map '${definition.name}' has ${given.length} items, more than ${mostItems}; put them in groups, or start a child run for each part`,
      { stage: definition.name },
    )
  }
  return given
}

function keyOf(map: MapDefinition, item: unknown, index: number, name: string): string {
  const where = `the key of item ${index} of map '${name}'`
  let key: unknown
  try {
    key = map.key(item, index)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new StageError(
      `\`key\` of map '${name}' threw for item ${index}: ${message}`,
      { stage: name },
      { cause: error },
    )
  }
  if (typeof key !== 'string' && typeof key !== 'number') {
    throw new ValidationError(`${where} must be a text or a number, and is ${describe(key)}`, { stage: name })
  }
  return checkName(String(key), where)
}

function refuseDuplicates(name: string, keys: readonly string[]): void {
  const seen = new Map<string, number>()
  for (const [index, key] of keys.entries()) {
    const first = seen.get(key)
    if (first !== undefined) {
      throw new ValidationError(
        `map '${name}': items ${first} and ${index} have the same key ${JSON.stringify(key)}; \`key\` must tell them apart`,
        { stage: name, key },
      )
    }
    seen.set(key, index)
  }
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'object' && 'then' in value) return 'a promise (it must be synchronous)'
  return `a value of type ${typeof value}`
}
