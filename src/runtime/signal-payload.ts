/** Whether a signal may be given to a run of this workflow, and in what form it is kept. */
import { ValidationError } from '../errors.ts'
import { suggestion } from '../options.ts'
import type { JsonText } from '../store/store.ts'
import type { WorkflowDefinition } from '../workflow/definition.ts'
import { encodeJson } from '../workflow/results.ts'
import { checkName } from './names.ts'
import { checkedValue } from './stage/checked-value.ts'
import { outcomeSignal } from './stage/unknown-outcome.ts'

/** @throws ValidationError when the workflow has no such signal, or the payload is not of its form */
export function acceptedPayload(definition: WorkflowDefinition, name: string, payload: unknown): JsonText {
  if (typeof name !== 'string') throw new ValidationError('signal: its name must be a text', {})
  const where = `signal '${name}' of workflow '${definition.name}'`
  checkName(name, where)
  if (name.startsWith('xstate.')) {
    throw new ValidationError(`${where}: names that begin with 'xstate.' are reserved`, { signal: name })
  }
  if (name === outcomeSignal) return encodeJson(payload ?? {}, where) as JsonText
  const schema = Object.hasOwn(definition.signals, name) ? definition.signals[name] : undefined
  if (!schema) {
    refuseUnknown(definition, name, where)
    return encodeJson(eventPayload(definition, payload, where) ?? {}, where) as JsonText
  }
  const checked = eventPayload(definition, checkedValue(schema, payload, where, { signal: name }), where)
  return encodeJson(checked, where) ?? 'null'
}

/** Of a machine of one's own a payload is the rest of the event, so it must be an object or absent. */
function eventPayload(definition: WorkflowDefinition, payload: unknown, where: string): unknown {
  const isPlain = payload !== null && typeof payload === 'object' && !Array.isArray(payload)
  if (definition.origin === 'built' || payload === undefined || isPlain) return payload
  throw new ValidationError(`${where}: it is sent as { type, ...payload }, so its payload must be an object`, {})
}

/** A machine of one's own takes its own events as signals, by exact name or by a wildcard of its own. */
function refuseUnknown(definition: WorkflowDefinition, name: string, where: string): void {
  const known =
    definition.origin === 'machine'
      ? (definition.machine.events as string[]).filter(event => !event.startsWith('xstate.'))
      : Object.keys(definition.signals)
  if (known.includes(name)) return
  if (known.some(event => event === '*' || (event.endsWith('.*') && name.startsWith(event.slice(0, -1))))) return
  throw new ValidationError(`${where}: there is no such signal${suggestion(name, known) || '; it declares none'}`, {
    signal: name,
  })
}
