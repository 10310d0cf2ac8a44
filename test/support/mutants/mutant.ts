/** A planted defect: small replacements in the source, what they break, and the tests that see it where no simulation can. */

export interface Change {
  /** From the root of the repository. */
  readonly file: string
  /** Must be there exactly once. */
  readonly before: string
  readonly after: string
}

export interface Mutant {
  /** A sentence of what is wrong with it. */
  readonly name: string
  readonly changes: readonly Change[]
  /** Test files that catch it, where the simulator does not reach. */
  readonly tests?: readonly string[]
}

export const mutant = (name: string, change: Change | readonly Change[], tests?: readonly string[]): Mutant => ({
  name,
  changes: Array.isArray(change) ? (change as readonly Change[]) : [change as Change],
  ...(tests ? { tests } : {}),
})

export const change = (file: string, before: string, after: string): Change => ({ file, before, after })
