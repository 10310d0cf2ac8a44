/** The subpath `holdfast/supervisor`: supervision for any XState actors, without a store and without workflows. */
export type {
  ChildExitedEvent,
  RestartCounters,
  StartFailedEvent,
  SupervisorDecision,
} from '../machines/supervisor.machine.ts'
export { OptionsError, RestartIntensityError, SupervisorError } from './errors.ts'
export type { ChildReport, ChildStatus } from './supervisor/child.ts'
export type {
  AutoShutdown,
  ChildSpec,
  ChildType,
  ResolvedChildSpec,
  ResolvedSupervisorSpec,
  Restart,
  RestartBackoff,
  Strategy,
  SupervisorOptions,
  SupervisorSpec,
} from './supervisor/child-spec.ts'
export { type ChildCounts, type ChildRef, createSupervisor, type Supervisor } from './supervisor/create-supervisor.ts'
export type { DeadLetter, DeadLetters } from './supervisor/dead-letters.ts'
export {
  type Alternative,
  type DecisionRecord,
  type Explanation,
  explainDecision,
  replayDecision,
} from './supervisor/decisions.ts'
export type {
  EndReason,
  ExitReason,
  SupervisorEnd,
  SupervisorEvent,
  SupervisorObserver,
} from './supervisor/events.ts'
export type { MailCounts } from './supervisor/mail.ts'
export { type RestartBound, restartBound, type SupervisorBound } from './supervisor/restart-bound.ts'
export type { ChildEnd, ChildWatcher } from './supervisor/watchers.ts'
export type { Clock } from './time/clock.ts'
