/** `holdfast`: a supervised, durable actor runtime for LLM and agent workflows, on XState v5. */

export { bundledWorkflow } from './bundled/load-bundled.ts'
export { type ErrorCategory, type ErrorCode, type ErrorType, errorCodes } from './error-codes.ts'
export {
  BudgetExceededError,
  CancelledError,
  CircuitOpenError,
  ConfigError,
  decodeError,
  type EncodedError,
  encodeError,
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
export { type AiSdkOptions, aiSdk } from './providers/ai-sdk.ts'
export type { AiSdkLanguageModel } from './providers/ai-sdk-language-model.ts'
export type { AnthropicOptions } from './providers/anthropic.ts'
export type { ApiKey } from './providers/api-keys.ts'
export type { HttpOptions } from './providers/http-options.ts'
export type { Fetch } from './providers/http-provider.ts'
export type { ProviderLimits } from './providers/limits.ts'
export {
  checkModels,
  type ModelChecksInput,
  type ModelFinding,
  type PingResult,
  pingModels,
} from './providers/model-checks.ts'
export type { ModelOption, ModelsOption } from './providers/offered-models.ts'
export { offline } from './providers/offline.ts'
export type { OpenAiCompatibleOptions } from './providers/openai-compatible.ts'
export { loadPriceList } from './providers/price-list.ts'
export { type ListedModel, noPrices, type Price, type PriceList, usdOf } from './providers/prices.ts'
export type {
  CallContext,
  Capabilities,
  Message,
  MessagePart,
  Model,
  ModelAnswer,
  ModelChunk,
  ModelPrice,
  ModelRequest,
  Provider,
  Tier,
  TokenPrices,
  ToolCall,
  Usage,
} from './providers/provider.ts'
export {
  createRegistry,
  type ModelEntry,
  type ModelInfo,
  type ModelRegistry,
  type RegistrySources,
} from './providers/registry.ts'
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
  ResumeOptions,
  RetentionOptions,
  Run,
  RunCost,
  RunError,
  RunFailed,
  RunPerformance,
  RunResult,
  RunSucceeded,
  RunSummary,
  RuntimeOptions,
  StagePerformance,
  StartOptions,
  Subscription,
  TreeNode,
  WaitSummary,
} from './runtime/api.ts'
export type { CircuitOperations, CircuitSummary } from './runtime/calls/circuits.ts'
export type { CostReport } from './runtime/calls/cost-report.ts'
export { anthropic, openaiCompatible, providersFromEnvironment } from './runtime/calls/environment-providers.ts'
export type { Incident } from './runtime/calls/incidents.ts'
export type { Chaos, ChaosFault, ChaosPlace, ChaosTarget } from './runtime/chaos.ts'
export { type Client, type CommandAnswer, createClient, type RunReport } from './runtime/client.ts'
export type { CommandArguments, CommandName } from './runtime/commands.ts'
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
export type { Bundle } from './runtime/operations/bundle.ts'
export type { Diagnostics, HealthFindingSummary } from './runtime/operations/diagnostics.ts'
export type { ForkPlan } from './runtime/operations/fork.ts'
export type {
  CompleteOptions,
  ForkedRun,
  ForkOptions,
  HoldOption,
  OperatedRuntime as Runtime,
  OperatorNote,
  PositionedEvent,
  QuarantineEvidence,
  QuarantineListOptions,
  QuarantineSummary,
  RetryOptions,
  StageNote,
} from './runtime/operations/operations-api.ts'
export type { RerunCost } from './runtime/operations/rerun-cost.ts'
export { type PlannedStage, type PlanOptions, planOf, type RunPlan } from './runtime/planning/plan.ts'
export { estimatedUsd, type PlannedModel, planSpending, type SpendingPlan } from './runtime/planning/spending.ts'
export type { StageBound } from './runtime/planning/static-bound.ts'
export { validateModels } from './runtime/planning/validate-models.ts'
export type { RunCostBound, StageCost, StageText } from './runtime/planning/worst-case-cost.ts'
export { memoryStore } from './store/memory-store.ts'
export { restoreStore } from './store/sqlite-copy.ts'
export { sqliteStore } from './store/sqlite-store.ts'
export type {
  Command,
  CommandReply,
  JournalRow,
  LedgerRow,
  NewRun,
  Page,
  PositionedRow,
  PurgeFilter,
  RunFilter,
  RunRow,
  RunState,
  RunStatus,
  RunWrite,
  SignalRow,
  Store,
  StoreDescription,
  StoredRun,
  StoreFinding,
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
