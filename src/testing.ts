/**
 * `holdfast/testing`: what a test of a workflow, a supervisor or a store needs instead of the real world. Time moves
 * when the test says so, chance comes from a seed, models answer from a script, and a store dies at a chosen write.
 */
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
  type ScriptEntry,
  type ScriptedAnswer,
  type ScriptedCall,
  type ScriptedFailure,
  type ScriptedProvider,
  type ScriptedProviderOptions,
  type ScriptedReply,
  scriptedProvider,
} from './testing/scripted-provider.ts'
export { type OpenStore, type StoreCase, storeConformance } from './testing/store-conformance.ts'
export { type VirtualClock, virtualClock } from './testing/virtual-clock.ts'
export { type Random, seededRandom } from './time/random.ts'
