/** Properties with as many runs as `HOLDFAST_PROPERTY_RUNS` asks for; a failing one prints its seed. */
import fc from 'fast-check'
import { propertyRuns } from './supervised-worker.ts'

type Arbitraries<T extends [unknown, ...unknown[]]> = { [K in keyof T]: fc.Arbitrary<T[K]> }

export function check<T extends [unknown, ...unknown[]]>(...args: [...Arbitraries<T>, (...values: T) => void]): void {
  const [property, ...rest] = args as unknown as [fc.Arbitrary<unknown>, () => void]
  fc.assert(fc.property(property, ...rest), { numRuns: propertyRuns })
}

export async function checkLive<T extends [unknown, ...unknown[]]>(
  ...args: [...Arbitraries<T>, (...values: T) => Promise<void>]
): Promise<void> {
  const [property, ...rest] = args as unknown as [fc.Arbitrary<unknown>, () => Promise<void>]
  await fc.assert(fc.asyncProperty(property, ...rest), { numRuns: propertyRuns })
}
