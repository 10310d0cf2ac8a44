/** How much text a run would send to models, where its workflow can say so before it runs. */
import type { StageText } from '../runtime/planning/worst-case-cost.ts'

export interface TextEstimate {
  /** What is sent, in words: `3 files in 5 chunks`. */
  readonly what: string
  /** Tokens over all calls, by the length of the text. */
  readonly inputTokens: number
  readonly outputTokens: number
  /** What bounds the calls of a stage, by its name. */
  readonly stages: Readonly<Record<string, StageText>>
}

/** Text and code take up a token by about so many characters. */
const charactersPerToken = 4

export const tokensOf = (characters: number): number => Math.ceil(characters / charactersPerToken)

export const counted = (number: number, one: string): string => `${number} ${number === 1 ? one : `${one}s`}`
