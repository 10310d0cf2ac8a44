/** The invariants that every simulation holds, by name, and what it says of one that was broken. */

export interface Broken {
  /** The name of the guarantee or of the user's invariant. */
  readonly invariant: string
  readonly message: string
  readonly runId?: string | undefined
}

/** The built-in invariants, by name, with the sentence of the guarantee. */
export const guarantees = {
  'dense journal': 'the journal of a run has no gap, no double and one beginning',
  'recorded once': 'a stage has at most one result, and what was recorded does not change',
  'the result is its own': 'a recorded result is what the current execution of the stage returned',
  'intended first': 'a function, a step, a model call and a child run begin only after their intention is durable',
  'told is durable': 'what a stage, a sender or an operator is told is durable by then',
  'nothing is done again': 'a step or model call that is recorded as succeeded is not executed again',
  'one owner': 'only the newest owner of the store writes, and a live owner is not replaced unasked',
  'one live incarnation': 'no stage is executed twice at once in one process',
  'within the policy': 'no retry, restart or wait beyond the policy of its stage, and none earlier than decided',
  'in its time': 'what is due comes neither early nor late, and a due time that is durable does not move',
  'counted as done': 'what a run has counted agrees with its journal and with what providers charged',
  'each signal once': 'a signal is taken at most once',
  'undone in reverse': 'compensations run once each, the last success first',
  'an end is an end': 'a run that completed or was cancelled stays so, and who asks hears what is durable',
  'every run ends': 'once nothing fails any more, each run ends or names what it waits for',
  'budget kept': 'a run uses no more calls and money than its budget allows',
  'nothing left behind': 'a runtime that was closed leaves no timer',
  'same seed, same journal': 'the same seed gives the same journals, byte for byte',
  'inside the simulation': 'no stage reaches for the network, the disk or other processes by itself',
  'the runtime works': 'the runtime opens, takes runs up and closes without an error that no fault explains',
} as const

export type Guarantee = keyof typeof guarantees
