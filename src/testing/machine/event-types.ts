/**
 * Which events a machine takes from outside, and what they carry. The types are those of its transitions; what XState
 * sends by itself (`after`, the end of an actor) is not among them. The form of an event's data is given beside the
 * machine, or found in the `schemas.events` of its `setup`.
 */
import type { Arbitrary } from 'fast-check'
import type { AnyStateMachine, AnyStateNode } from 'xstate'
import type { ZodType } from 'zod'
import { OptionsError } from '../../errors.ts'
import { suggestion } from '../../options.ts'
import { arbitraryOfSchema } from '../arbitrary-of-schema.ts'
import { fastCheckFor } from '../fast-check.ts'

/** What an event carries beside its type: a zod schema of an object, or a fast-check arbitrary of one. */
export type EventForm = ZodType | Arbitrary<object>

/** By event type. */
export type EventForms = Readonly<Record<string, EventForm | undefined>>

export interface EventType {
  readonly type: string
  /** Absent where nothing says that it carries anything. */
  readonly data?: Arbitrary<object> | undefined
}

/**
 * The events that can be sent to the machine, in the order in which it names them; for a wildcard one that it takes.
 * @param forms what they carry, by type; a type that only a wildcard of the machine takes stands for that wildcard
 * @throws OptionsError for a form of an event that the machine never takes, or of which no data can be derived
 */
export function eventTypesOf(machine: AnyStateMachine, forms: EventForms = {}): readonly EventType[] {
  const descriptors = [...new Set(descriptorsIn(machine.root))].filter(type => !isOfXState(type))
  const wildcards = descriptors.filter(type => type.endsWith('*'))
  const named = descriptors.filter(type => !type.endsWith('*'))
  for (const type of Object.keys(forms)) {
    if (named.includes(type) || wildcards.some(wildcard => matchesWildcard(type, wildcard))) continue
    throw new OptionsError(`events.${type}: machine '${machine.id}' has no such event${suggestion(type, named)}`, {
      event: type,
    })
  }
  const known = [...new Set([...named, ...Object.keys(forms)])]
  const unnamed = wildcards.filter(wildcard => !Object.keys(forms).some(type => matchesWildcard(type, wildcard)))
  const types = [...known, ...unnamed.map(wildcard => exampleOf(wildcard, known))]
  const declared = declaredForms(machine)
  return types.map(type => {
    const form = forms[type] ?? declared[type]
    return form === undefined ? { type } : { type, data: dataOf(form, `events.${type}`) }
  })
}

/** Of values that a form describes, as an arbitrary. */
export function arbitraryOf(form: ZodType | Arbitrary<unknown>, place: string): Arbitrary<unknown> {
  return isArbitrary(form) ? form : arbitraryOfSchema(form as ZodType, place)
}

/** What XState sends by itself. */
export const isOfXState = (type: string): boolean => type.startsWith('xstate.')

/** Those of transitions that do nothing too, which `machine.events` leaves out. */
const descriptorsIn = (node: AnyStateNode): string[] => [
  ...node.transitions.keys(),
  ...Object.values(node.states).flatMap(descriptorsIn),
]

const matchesWildcard = (type: string, wildcard: string): boolean =>
  wildcard === '*' || type === wildcard.slice(0, -2) || type.startsWith(wildcard.slice(0, -1))

/** `mouse.any` for `mouse.*`; for `*` a type that the machine does not name. */
function exampleOf(wildcard: string, known: readonly string[]): string {
  let example = wildcard === '*' ? 'any' : `${wildcard.slice(0, -1)}any`
  while (known.includes(example)) example += '.other'
  return example
}

/** `setup({ schemas: { events: { PAY: z.object(…) } } })`, where the values are schemas that can be read. */
function declaredForms(machine: AnyStateMachine): EventForms {
  const { events } = (machine.schemas ?? {}) as { events?: unknown }
  if (events === null || typeof events !== 'object') return {}
  return Object.fromEntries(
    Object.entries(events).filter(([, form]) => isArbitrary(form) || Object(form)._zod !== undefined),
  )
}

function dataOf(form: EventForm, place: string): Arbitrary<object> {
  const data = arbitraryOf(form, place)
  const [example] = fastCheckFor(place).sample(data, { numRuns: 1, seed: 1 })
  if (example !== null && typeof example === 'object' && !Array.isArray(example)) return data as Arbitrary<object>
  throw new OptionsError(`${place} must describe an object: what the event carries beside its type`, { place })
}

const isArbitrary = (form: unknown): form is Arbitrary<object> =>
  form !== null && typeof form === 'object' && typeof (form as { generate?: unknown }).generate === 'function'
