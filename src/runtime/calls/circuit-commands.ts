/** Commands about circuits that another process left in the store for the one that has them. */
import type { Command } from '../../store/store.ts'
import type { CircuitOperations, CircuitSummary } from './circuits.ts'

/** A command is about a run; one that is about circuits is about none. */
export const noRun = ''

export const circuitCommand = (name: 'list' | 'reset' | 'isolate'): string => `circuits.${name}`

/** What came of it; undefined for a command about something else. @throws HoldfastError `circuit_not_found` */
export async function carryOutOnCircuits(
  { name, args }: Pick<Command, 'name' | 'args'>,
  circuits: CircuitOperations,
): Promise<{ readonly items: readonly CircuitSummary[] } | undefined> {
  const { id = '' } = JSON.parse(args) as { id?: string }
  if (name === circuitCommand('list')) return { items: await circuits.list() }
  if (name === circuitCommand('reset')) return { items: [await circuits.reset(id)] }
  if (name === circuitCommand('isolate')) return { items: [await circuits.isolate(id)] }
  return undefined
}
