/** `holdfast`: a supervised, durable actor runtime for LLM and agent workflows, on XState v5. */

export {
  BudgetExceededError,
  CancelledError,
  CircuitOpenError,
  ConfigError,
  decodeError,
  type EncodedError,
  type ErrorCategory,
  type ErrorCode,
  type ErrorType,
  encodeError,
  errorCodes,
  HoldfastError,
  LeaseLostError,
  OptionsError,
  ProviderError,
  RestartIntensityError,
  RunConflictError,
  RunNotFoundError,
  SnapshotError,
  StageError,
  StoreError,
  SupervisorError,
  TimeoutError,
  ValidationError,
} from './errors.ts'
export type { HealthCheck, HealthFinding } from './health/check.ts'
export { offline } from './providers/offline.ts'
export type {
  CallContext,
  Message,
  MessagePart,
  Model,
  ModelAnswer,
  ModelRequest,
  Provider,
  Tier,
  ToolCall,
  Usage,
} from './providers/provider.ts'
export * from './resilience.ts'
export type {
  Budget,
  CloseOptions,
  DegradedPart,
  EventsOptions,
  InspectListener,
  ListOptions,
  Logger,
  RecoveryReport,
  Remedy,
  Run,
  RunCost,
  RunError,
  RunFailed,
  RunPerformance,
  RunResult,
  RunSucceeded,
  RunSummary,
  Runtime,
  RuntimeOptions,
  StagePerformance,
  StartOptions,
  Subscription,
  TreeNode,
} from './runtime/api.ts'
export { type Client, type CommandArguments, type CommandName, createClient, type RunReport } from './runtime/client.ts'
export { createRuntime } from './runtime/create-runtime.ts'
export type {
  CauseLink,
  ExplainedStage,
  ExplainOptions,
  Explanation,
  NextStep,
  StoryEntry,
  SuggestedCommand,
  ToldDecision,
} from './runtime/explain/explanation.ts'
export type { DecisionDifference } from './runtime/explain/replay.ts'
export { type PlannedStage, type PlanOptions, planOf, type RunPlan } from './runtime/plan.ts'
export type { StageBound } from './runtime/static-bound.ts'
export { memoryStore } from './store/memory-store.ts'
export { sqliteStore } from './store/sqlite-store.ts'
export type {
  Command,
  CommandReply,
  JournalRow,
  LedgerRow,
  NewRun,
  Page,
  RunFilter,
  RunRow,
  RunState,
  RunStatus,
  RunWrite,
  SignalRow,
  Store,
  StoreDescription,
  StoredRun,
  StoreOwner,
  TimerRow,
} from './store/store.ts'
export { runStatuses } from './store/store.ts'
export * from './supervisor.ts'
export { type JournalEvent, type JournalEventType, journalEventTypes } from './telemetry/catalogue.ts'
export type { MetricPoint } from './telemetry/metrics.ts'
export { type Clock, systemClock } from './time/clock.ts'
export type { Duration } from './time/duration.ts'
export { createIds, type Ids } from './time/ids.ts'
export { type Random, systemRandom } from './time/random.ts'
export { defineWorkflow, type WorkflowBuilder, type WorkflowOptions } from './workflow/define-workflow.ts'
export { type AnyWorkflow, isWorkflow, sourceOf, withSource } from './workflow/definition.ts'
export type { Jsonify } from './workflow/jsonify.ts'
export { workflowFromMachine } from './workflow/own-machine.ts'
export { stageActor } from './workflow/stage-actor.ts'
export type {
  ChildResult,
  ChildRun,
  GenerateOptions,
  GenerateResult,
  LastFailure,
  StageContext,
  StageLog,
  StageMetrics,
  StageModel,
  StepContext,
  StepOptions,
} from './workflow/stage-context.ts'
export type { ChildRunOf, ItemContextOf, StageContextOf } from './workflow/typed-options.ts'
export type { AnyEntry, StageEntry } from './workflow/typed-results.ts'
export type { InputOf, OutputOf, Workflow } from './workflow/typed-workflow.ts'
