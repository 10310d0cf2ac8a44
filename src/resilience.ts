/** `holdfast/resilience`: classification of failures, profiles, retry, circuits and fallback, with no runtime. */
export type { CircuitReason, CircuitState } from '../machines/circuit.machine.ts'
export {
  BudgetExceededError,
  CancelledError,
  CircuitOpenError,
  HoldfastError,
  OptionsError,
  ProviderError,
  SnapshotError,
  TimeoutError,
  ValidationError,
} from './errors.ts'
export type { AttemptContext } from './resilience/attempt.ts'
export { type CauseAnswer, type Causes, usualAnswers } from './resilience/causes.ts'
export type { Circuit, CircuitMetrics, CircuitPermit, CircuitReport } from './resilience/circuit.ts'
export type { CircuitTransition } from './resilience/circuit-history.ts'
export type {
  CircuitOptions,
  CircuitPreset,
  CircuitSettings,
  CircuitWindowOptions,
} from './resilience/circuit-options.ts'
export type { CircuitSnapshot } from './resilience/circuit-snapshot.ts'
export { type Classification, type ClassifyOptions, classifyError } from './resilience/classify.ts'
export { type CircuitSetup, createCircuit } from './resilience/create-circuit.ts'
export {
  createResilience,
  type ExecuteOptions,
  type FallbackFacts,
  type Resilience,
  type ResilienceOptions,
} from './resilience/create-resilience.ts'
export { defineProfile, type ProfileOptions } from './resilience/define-profile.ts'
export {
  type EffectiveProfile,
  type EffectiveValue,
  effectiveProfile,
  knownProfileNames,
  knownTasks,
  type OverrideSource,
} from './resilience/effective-profile.ts'
export type { WireFailure } from './resilience/failure-evidence.ts'
export { type FailureAction, type FailureKind, type FailureScope, failureKinds } from './resilience/kinds.ts'
export {
  createOperationMetrics,
  type OperationCounts,
  type OperationFigures,
  type OperationMetrics,
} from './resilience/operation-metrics.ts'
export { type OperationName, operationPresets } from './resilience/operations.ts'
export type { ProfileOverrides } from './resilience/profile-overrides.ts'
export {
  builtInProfiles,
  type ProfileName,
  type ResolvedProfile,
  type TaskName,
  taskProfiles,
} from './resilience/profiles.ts'
export {
  type FetchEvent,
  type RequestOptions,
  type ResilientFetch,
  type ResilientFetchOptions,
  resilientFetch,
} from './resilience/resilient-fetch.ts'
export {
  type ResilientWebSocket,
  type ResilientWebSocketOptions,
  resilientWebSocket,
  type WebSocketConstructor,
  type WebSocketEnd,
  type WebSocketEvents,
  type WebSocketLike,
} from './resilience/resilient-websocket.ts'
export type { AttemptEvent } from './resilience/retry.ts'
export { createRetryBudget, type RetryBudget, type RetryBudgetOptions } from './resilience/retry-budget.ts'
export {
  type ComponentChange,
  type FunctionWithFallback,
  type WithFallbackOptions,
  withFallback,
} from './resilience/with-fallback.ts'
