/** The state of a run that was created and has not got one: it waits for its first step, with an empty journal. */
import type { NewRun, RunState } from './store.ts'

export const initialState = (run: NewRun): RunState => ({
  status: 'pending',
  snapshot: null,
  seq: 0,
  updatedAt: run.createdAt,
  endedAt: null,
  counters: '{}',
  outcome: null,
})
