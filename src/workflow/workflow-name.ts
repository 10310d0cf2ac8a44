/** What everything that is a workflow says of itself. */
export interface WorkflowName {
  readonly name: string
  readonly version: string
}
