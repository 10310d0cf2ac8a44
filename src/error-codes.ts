/**
 * The catalogue of error codes: what each is about, what is to be done about it, and what it means. Every error that
 * Holdfast throws has one of them, and callers switch on it. `docs/errors.md` says the same, and a test keeps the two equal.
 */

/** What part of the world an error is about. */
export type ErrorType =
  | 'config'
  | 'validation'
  | 'provider'
  | 'timeout'
  | 'runtime'
  | 'resource'
  | 'store'
  | 'budget'
  | 'cancelled'

/** What is to be done about it: try again, free something, mend the configuration, stop. */
export type ErrorCategory = 'transient' | 'resource' | 'configuration' | 'critical'

interface ErrorEntry {
  readonly type: ErrorType
  readonly category: ErrorCategory
  readonly meaning: string
}

export const errorCodes = {
  invalid_options: {
    type: 'config',
    category: 'configuration',
    meaning: 'An option is unknown, missing or of the wrong form.',
  },
  invalid_config: { type: 'config', category: 'configuration', meaning: 'A configuration file cannot be read as one.' },
  invalid_value: {
    type: 'validation',
    category: 'configuration',
    meaning: 'An input, result, signal or item does not have the form that was declared.',
  },
  run_conflict: {
    type: 'validation',
    category: 'configuration',
    meaning: 'The run id is taken by a run of another workflow or input.',
  },
  run_not_found: { type: 'validation', category: 'configuration', meaning: 'The store has no run of that id.' },
  run_not_open: {
    type: 'validation',
    category: 'configuration',
    meaning: 'The run has ended, so the operation does not apply to it.',
  },
  run_open: {
    type: 'validation',
    category: 'configuration',
    meaning: 'The run has not ended, so the operation does not apply to it.',
  },
  run_imported: {
    type: 'validation',
    category: 'configuration',
    meaning: 'The run was read from a bundle, so it is looked at and forked, and never goes on.',
  },
  circuit_not_found: {
    type: 'validation',
    category: 'configuration',
    meaning: 'There is no circuit of that name.',
  },
  workflow_unknown: {
    type: 'config',
    category: 'configuration',
    meaning: 'The run belongs to a workflow that this runtime was not given.',
  },
  workflow_changed: {
    type: 'config',
    category: 'configuration',
    meaning: 'The run was begun with another definition of its workflow.',
  },
  workflow_not_found: {
    type: 'config',
    category: 'configuration',
    meaning: 'There is no such workflow file, and no bundled workflow of that name.',
  },
  file_not_found: { type: 'config', category: 'configuration', meaning: 'A file that was named does not exist.' },
  workflow_invalid: {
    type: 'config',
    category: 'configuration',
    meaning: 'The file of a workflow cannot be loaded, or exports no workflow.',
  },
  already_started: {
    type: 'runtime',
    category: 'critical',
    meaning: 'A child of that id is running already, or being restarted.',
  },
  already_present: {
    type: 'runtime',
    category: 'critical',
    meaning: 'A child spec of that id exists already, its child is stopped.',
  },
  not_found: { type: 'runtime', category: 'critical', meaning: 'The supervisor has no child of that id.' },
  running: {
    type: 'runtime',
    category: 'critical',
    meaning: 'The child is running, so it can be neither restarted nor deleted.',
  },
  restarting: {
    type: 'runtime',
    category: 'critical',
    meaning: 'The child is being restarted, so it can be neither restarted nor deleted.',
  },
  start_failed: { type: 'runtime', category: 'critical', meaning: 'A child failed while it started.' },
  watched_ended: {
    type: 'runtime',
    category: 'critical',
    meaning: 'A child ended with which another one had a pact, and did not handle that.',
  },
  supervisor_stopped: {
    type: 'runtime',
    category: 'critical',
    meaning: 'The supervisor has stopped or has not started.',
  },
  max_children: {
    type: 'resource',
    category: 'resource',
    meaning: 'The supervisor has as many children as it may have.',
  },
  restart_intensity: {
    type: 'runtime',
    category: 'critical',
    meaning: 'More restarts than the intensity allows within the period.',
  },
  provider_failed: {
    type: 'provider',
    category: 'transient',
    meaning: 'A provider answered with a failure, or with what is no answer.',
  },
  timed_out: {
    type: 'timeout',
    category: 'transient',
    meaning: 'A call, a stage, a wait or a run took longer than it may.',
  },
  circuit_open: { type: 'provider', category: 'transient', meaning: 'The circuit is open, so the call was not made.' },
  budget_exceeded: { type: 'budget', category: 'resource', meaning: 'The budget of the run does not allow it.' },
  stage_failed: { type: 'runtime', category: 'critical', meaning: 'A stage failed for good.' },
  run_failed: { type: 'runtime', category: 'critical', meaning: 'A run failed outside of its stages.' },
  snapshot_invalid: { type: 'store', category: 'critical', meaning: 'A snapshot cannot be restored.' },
  runtime_closed: { type: 'runtime', category: 'critical', meaning: 'The runtime has been closed.' },
  store_owned: { type: 'store', category: 'resource', meaning: 'Another live process owns the store.' },
  store_corrupt: { type: 'store', category: 'critical', meaning: 'The store is damaged, or is no Holdfast store.' },
  store_full: { type: 'store', category: 'resource', meaning: 'The disk that holds the store is full.' },
  store_readonly: {
    type: 'store',
    category: 'configuration',
    meaning: 'The store or its directory cannot be written.',
  },
  store_newer: {
    type: 'store',
    category: 'configuration',
    meaning: 'The store was written by a newer version of Holdfast.',
  },
  store_missing: { type: 'store', category: 'configuration', meaning: 'There is no store at that place.' },
  store_not_empty: {
    type: 'store',
    category: 'configuration',
    meaning: 'A store that holds runs would be replaced, or a file that exists be written over.',
  },
  store_failed: {
    type: 'store',
    category: 'critical',
    meaning: 'The store failed; what was not acknowledged may be lost.',
  },
  lease_lost: {
    type: 'store',
    category: 'critical',
    meaning: 'Another process has taken the store over; this one may not write.',
  },
  cancelled: { type: 'cancelled', category: 'critical', meaning: 'It was cancelled, by its caller or by an operator.' },
  owner_silent: {
    type: 'store',
    category: 'resource',
    meaning: 'The process that owns the store did not take the command in time.',
  },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errorCodes
