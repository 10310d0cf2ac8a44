/** Invariants by their names; of a list by the names of the functions, or by their place. */
import { OptionsError } from '../../errors.ts'

/** @throws OptionsError when two have the same name */
export function namedInvariants<T>(
  given: readonly T[] | Readonly<Record<string, T>>,
  where: string,
): readonly (readonly [name: string, invariant: T])[] {
  if (!Array.isArray(given)) return Object.entries(given as Readonly<Record<string, T>>)
  const named = (given as readonly T[]).map(
    (one, index) => [(one as { name?: string }).name || `invariant ${index + 1}`, one] as const,
  )
  const twice = named.find(([name], index) => named.findIndex(([other]) => other === name) < index)
  if (twice)
    throw new OptionsError(`${where}: two invariants are called '${twice[0]}'; give them as { name: function }`)
  return named
}
