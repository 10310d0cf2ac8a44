/**
 * What any store must pass, as data: run each case with your own test runner, against a store that is new and empty.
 * A case that the store fails throws an `AssertionError`. The cases hold for the stores of Holdfast, and a store that
 * passes them all can stand in their place.
 */

import type { StoreCase } from './conformance/store-case.ts'
import { commandCases } from './conformance/store-commands.ts'
import { listingCases } from './conformance/store-listing.ts'
import { operationCases } from './conformance/store-operations.ts'
import { ownershipCases } from './conformance/store-ownership.ts'
import { readingCases } from './conformance/store-reading.ts'
import { writingCases } from './conformance/store-writing.ts'

export type { OpenStore, StoreCase } from './conformance/store-case.ts'

/** With vitest: `test.each(storeConformance)('$name', ({ run }) => run(() => myStore()))`. */
export const storeConformance: readonly StoreCase[] = [
  ...ownershipCases,
  ...writingCases,
  ...readingCases,
  ...listingCases,
  ...commandCases,
  ...operationCases,
]
