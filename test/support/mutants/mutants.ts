/** All planted defects. */
import { decisionMutants } from './decision-mutants.ts'
import { durabilityMutants } from './durability-mutants.ts'
import type { Mutant } from './mutant.ts'
import { resilienceMutants } from './resilience-mutants.ts'

export const mutants: readonly Mutant[] = [...durabilityMutants, ...decisionMutants, ...resilienceMutants]
