import type { TimerRow } from '../../store/store.ts'

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

const kinds: readonly string[] = [
  'deadline',
  'wallTime',
  'delay',
  'sleep',
  'wait',
  'wake',
  'scheduled',
] satisfies TimerPurpose['kind'][]

/** Why the row of a timer says nothing that could be done when it is due; undefined where it does. */
export function faultOfTimer({ dueAt, data }: TimerRow): string | undefined {
  if (!Number.isFinite(dueAt)) return 'nobody knows when it is due'
  try {
    const { kind } = JSON.parse(data) as { kind?: unknown }
    return typeof kind === 'string' && kinds.includes(kind) ? undefined : 'nobody knows what it is for'
  } catch (error) {
    return (error as Error).message
  }
}
