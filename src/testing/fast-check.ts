/**
 * The door to fast-check, which is an optional peer: only what derives data from schemas needs it, and it is loaded when
 * that is asked for. Who never asks needs no fast-check.
 */
import { createRequire } from 'node:module'
import type fastCheck from 'fast-check'
import { OptionsError } from '../errors.ts'

export type FastCheck = typeof fastCheck

/**
 * @param who what needs it, for the message
 * @throws OptionsError when it is not installed
 */
export function fastCheckFor(who: string): FastCheck {
  try {
    return createRequire(import.meta.url)('fast-check') as FastCheck
  } catch (cause) {
    throw new OptionsError(
      `${who} needs fast-check, which is not installed: npm install --save-dev fast-check`,
      { package: 'fast-check' },
      { cause },
    )
  }
}
