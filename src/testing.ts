/**
 * `holdfast/testing`: what a test of a workflow, a supervisor or a store needs instead of the real world. Time moves
 * when the test says so, chance comes from a seed, models answer from a script, and a store dies at a chosen write.
 */
export { bundledWorld } from './testing/bundled-worlds/bundled-world.ts'
export type { BundledWorld } from './testing/bundled-worlds/world.ts'
export { type ChaosOptions, chaos, type SeededChaos } from './testing/chaos/chaos.ts'
export {
  type FakeProviderServer,
  type FakeProviderServerOptions,
  fakeProviderServer,
} from './testing/fake-provider-server.ts'
export type {
  ServerCall,
  ServerFault,
  ServerReply,
  ServerReplyFunction,
  ServerScriptEntry,
} from './testing/fake-provider-server-script.ts'
export { type FaultyStore, type FaultyStoreOptions, faultyStore, type WriteOperation } from './testing/faulty-store.ts'
export {
  checkMachine,
  checkTrace,
  type MachineCheck,
} from './testing/machine/check-machine.ts'
export type { CheckOptions } from './testing/machine/check-options.ts'
export { type Coverage, type Covered, type CoveredTransition, coverageOf } from './testing/machine/coverage.ts'
export type { EventForm, EventForms } from './testing/machine/event-types.ts'
export { type EventsOptions, eventsOf } from './testing/machine/events-of.ts'
export type { Persistence } from './testing/machine/machine-world.ts'
export { type MachineMatchers, machineMatchers } from './testing/machine/matchers.ts'
export type { CrashStep, TimeStep, Trace, TraceStep } from './testing/machine/trace.ts'
export type { Invariant, Violation } from './testing/machine/twins.ts'
export { outcomeDifferences } from './testing/recording/differences.ts'
export { type MadeRecording, recordingOf } from './testing/recording/record-run.ts'
export type { RunOutcome, RunRecording } from './testing/recording/recording.ts'
export { type ReplayedRun, type ReplayOptions, replayRun } from './testing/recording/replay-run.ts'
export { type TestFileOptions, testFileOf } from './testing/recording/test-file.ts'
export {
  type ScriptEntry,
  type ScriptedAnswer,
  type ScriptedCall,
  type ScriptedFailure,
  type ScriptedProvider,
  type ScriptedProviderOptions,
  type ScriptedReply,
  scriptedProvider,
} from './testing/scripted-provider.ts'
export { type FaultRates, type Faults, faultProfiles } from './testing/simulator/fault-profile.ts'
export { type Broken, guarantees } from './testing/simulator/guarantee-table.ts'
export type { OutsideUse } from './testing/simulator/place.ts'
export type { RunInvariant, SimulatedRun, SimulatedRuntimeOptions } from './testing/simulator/scenario.ts'
export { simulate, stagesWithOutput } from './testing/simulator/simulate.ts'
export type { RuntimeFactory, SimulateOptions } from './testing/simulator/simulate-options.ts'
export type { SeedReport, SimulationResult } from './testing/simulator/simulation-result.ts'
export type { FileTree } from './testing/simulator/world/file-tree.ts'
export type { Program, ProgramCall, ProgramEnd, ProgramRun, Programs } from './testing/simulator/world/programs.ts'
export type { FileChange, Files } from './testing/simulator/world/simulated-world.ts'
export { type OpenStore, type StoreCase, storeConformance } from './testing/store-conformance.ts'
export { type VirtualClock, virtualClock } from './testing/virtual-clock.ts'
export { type Random, seededRandom } from './time/random.ts'
