/** What there is in the world of a bundled workflow: the options of `simulate` that it gives. */
import type { SimulateOptions } from '../simulator/simulate-options.ts'

export type BundledWorld = Pick<SimulateOptions, 'input' | 'files' | 'programs' | 'answers' | 'stages' | 'invariants'>
