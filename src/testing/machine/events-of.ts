/** `eventsOf`: a machine's events as a fast-check arbitrary, for properties of one's own. */
import type { Arbitrary } from 'fast-check'
import type { AnyStateMachine, EventFromLogic } from 'xstate'
import { z } from 'zod'
import { OptionsError } from '../../errors.ts'
import { parseOptions } from '../../options.ts'
import { fastCheckFor } from '../fast-check.ts'
import { type EventForms, eventTypesOf } from './event-types.ts'
import { ensureMachine } from './machine-argument.ts'

export interface EventsOptions {
  /** What events carry, by type: a zod schema or a fast-check arbitrary of an object. @default `setup({ schemas })` */
  readonly events?: EventForms | undefined
}

const optionsSchema = z.strictObject({ events: z.custom<EventForms>(isObject, 'must be an object').optional() })

/**
 * An arbitrary of the events that a machine takes from outside, each with data of its form; each type as often as the
 * others.
 * @throws OptionsError without fast-check, for a machine that takes no event, for a form that cannot be derived
 */
export function eventsOf<TMachine extends AnyStateMachine>(
  machine: TMachine,
  options: EventsOptions = {},
): Arbitrary<EventFromLogic<TMachine>> {
  ensureMachine(machine, 'eventsOf')
  const fc = fastCheckFor('eventsOf')
  const types = eventTypesOf(machine, parseOptions(optionsSchema, options, 'eventsOf options').events)
  if (types.length === 0) {
    throw new OptionsError(`eventsOf: machine '${machine.id}' takes no event from outside, so there is none to make`)
  }
  const each = types.map(({ type, data }) => (data ? data.map(more => ({ ...more, type })) : fc.constant({ type })))
  return fc.oneof(...each) as Arbitrary<unknown> as Arbitrary<EventFromLogic<TMachine>>
}

function isObject(value: unknown): boolean {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
