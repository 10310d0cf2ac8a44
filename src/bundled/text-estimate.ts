/** How much text a run would send to models, where its workflow can say so before it runs. */
export interface TextEstimate {
  readonly files: number
  readonly chunks: number
  /** Tokens, by the length of the text. */
  readonly inputTokens: number
  readonly outputTokens: number
}
