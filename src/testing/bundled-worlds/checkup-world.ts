/** The world of `checkup`: data of the schemas of its stages, by chance, as it would find it on a disk. */
import type { BundledWorld } from './world.ts'

export const checkupWorld: BundledWorld = {
  input: { path: '/simulated' },
  stages: { preflight: true, tests: true, types: true, secrets: true, risk: true, review: true },
}
