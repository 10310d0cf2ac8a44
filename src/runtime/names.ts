/** Names that become identities in a store: of runs, map items, steps, calls and signals. */
import { ValidationError } from '../errors.ts'

/** Half a surrogate pair, or a zero character: databases cut or merge such texts, and two names would become one. */
const isUnfit = (name: string): boolean => name.includes('\u0000') || /\p{Cs}/u.test(name)
const longestName = 1000

/** @throws ValidationError where the name cannot be kept as it is */
export function checkName(name: string, where: string): string {
  if (name.length > longestName)
    throw new ValidationError(`${where} is ${name.length} characters long, more than ${longestName}`, {
      name: name.slice(0, 100),
    })
  if (isUnfit(name))
    throw new ValidationError(`${where} has characters that cannot be kept: ${JSON.stringify(name)}`, { name })
  return name
}
