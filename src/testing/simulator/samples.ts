/** Inputs and payloads of simulated runs: what the user gives, or else by chance, of the schemas of the workflow. */
import type { Arbitrary } from 'fast-check'
import type { ZodType } from 'zod'
import { OptionsError } from '../../errors.ts'
import type { Random } from '../../time/random.ts'
import type { WorkflowDefinition } from '../../workflow/definition.ts'
import { arbitraryOfSchema } from '../arbitrary-of-schema.ts'
import { fastCheckFor } from '../fast-check.ts'
import { type EventType, eventTypesOf } from '../machine/event-types.ts'

export interface Samples {
  input(random: Random): unknown
  /** `name` is '' where the machine of a run takes any of its events. Undefined where there is nothing to send. */
  signal(name: string, random: Random): { readonly name: string; readonly payload: unknown } | undefined
}

export interface GivenSamples {
  readonly input: unknown
  readonly hasInput: boolean
  readonly signals: Readonly<Record<string, unknown>>
}

/** @throws OptionsError where an input is needed and neither given nor to be derived */
export function createSamples(definition: WorkflowDefinition | undefined, given: GivenSamples): Samples {
  const inputs = given.hasInput || !definition?.input ? undefined : derived(definition.input, 'input')
  const payloads = new Map<string, Arbitrary<unknown> | undefined>()
  const events = definition?.origin === 'machine' ? eventTypesOf(definition.machine) : []
  const isOfMachine = definition?.origin === 'machine'

  const payloadOf = (name: string, random: Random): { readonly payload: unknown } | undefined => {
    if (Object.hasOwn(given.signals, name)) return { payload: givenOrMade(given.signals[name], random) }
    const schema = definition?.signals[name]
    if (!schema) return isOfMachine ? { payload: undefined } : undefined
    if (!payloads.has(name)) payloads.set(name, derived(schema, `signals.${name}`))
    const arbitrary = payloads.get(name)
    return arbitrary && { payload: sampleOf(arbitrary, random) }
  }

  return {
    input: random => (given.hasInput ? givenOrMade(given.input, random) : inputs && sampleOf(inputs, random)),
    signal(name, random) {
      if (name !== '') {
        const found = payloadOf(name, random)
        return found && { name, ...found }
      }
      const event: EventType | undefined = events[Math.floor(random() * events.length)]
      if (!event) return undefined
      const found = payloadOf(event.type, random)
      return found && { name: event.type, ...found }
    },
  }
}

function derived(schema: ZodType, place: string): Arbitrary<unknown> {
  try {
    return arbitraryOfSchema(schema, place)
  } catch (error) {
    throw new OptionsError(
      `simulate: ${place} is not given, and none can be made by chance: ${(error as Error).message}. Give it as \`${place}\``,
      { place },
      { cause: error },
    )
  }
}

const givenOrMade = (given: unknown, random: Random): unknown =>
  typeof given === 'function' ? (given as (random: Random) => unknown)(random) : given

/** One value, of the seed that chance gives. */
export const sampleOf = (arbitrary: Arbitrary<unknown>, random: Random): unknown =>
  fastCheckFor('simulate').sample(arbitrary, { numRuns: 1, seed: Math.floor(random() * 2 ** 31) })[0]
