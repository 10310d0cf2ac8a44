/** Holdfast: a supervised, durable actor runtime for LLM and agent workflows. */
export * from './resilience.ts'
export { createRuntime } from './runtime/create-runtime.ts'
