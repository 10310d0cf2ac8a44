/** The types that a workflow carries from where it is defined to where it is started. */
import type { AnyWorkflow } from './definition.ts'

declare const workflowTypes: unique symbol

/** A workflow and its types: what `start` takes and what a run gives. */
export interface Workflow<TInput, TOutput> extends AnyWorkflow {
  /** Only for the compiler; there is no such property. */
  readonly [workflowTypes]?: { readonly input: TInput; readonly output: TOutput }
}

/** What `start` takes for this workflow. */
export type InputOf<TWorkflow extends AnyWorkflow> =
  TWorkflow extends Workflow<infer TInput, unknown> ? TInput : unknown

/** What a run of this workflow gives when it is completed. */
export type OutputOf<TWorkflow extends AnyWorkflow> =
  TWorkflow extends Workflow<infer _TInput, infer TOutput> ? TOutput : unknown
