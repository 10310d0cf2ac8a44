/** Modules of Node as objects whose functions can be replaced. */
import { createRequire } from 'node:module'
import type { Callable } from './place.ts'

/** Puts another function in the place of one, until all are given back. */
export type Replace = (holder: object, name: string, make: (given: Callable) => unknown) => void

export const builtin = (name: string): object => createRequire(import.meta.url)(`node:${name}`) as object
