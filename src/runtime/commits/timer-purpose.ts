/** What is to happen when a durable timer is due. Kept with the timer, as JSON. */
export type TimerPurpose =
  | { readonly kind: 'deadline' }
  /** The time that the budget of the run allows. */
  | { readonly kind: 'wallTime' }
  /** The backoff of a stage is over. */
  | { readonly kind: 'delay'; readonly stage: string }
  /** A `sleep` of a stage is over. */
  | { readonly kind: 'sleep'; readonly stage: string; readonly key: string }
  /** A `waitFor` of a stage has waited long enough. */
  | { readonly kind: 'wait'; readonly stage: string; readonly key: string }
  /** Another run did what this one may wait for: it is to look. */
  | { readonly kind: 'wake' }
  /** `after` or a delayed event of a user's machine; kept only to be scheduled again in XState after a restart. */
  | {
      readonly kind: 'scheduled'
      readonly path: readonly string[]
      readonly target: readonly string[]
      readonly id: string
      readonly event: unknown
    }
