/** A run of another process as a node of the tree: read from the snapshot that it wrote last. */
import type { RunRow } from '../../store/store.ts'
import type { TreeNode } from '../api.ts'
import { type StageFacts, stageFacts } from '../stage/stage-facts.ts'

interface StoredSnapshot {
  readonly status: string
  readonly value?: unknown
  readonly context?: StageFacts & { readonly stage?: string }
  readonly children?: Readonly<Record<string, { readonly snapshot: StoredSnapshot; readonly src: unknown }>>
}

export function treeOfSnapshot(run: RunRow): TreeNode {
  const snapshot = run.snapshot === null ? undefined : (JSON.parse(run.snapshot) as StoredSnapshot)
  const flow = snapshot?.children?.flow?.snapshot
  return {
    id: `run:${run.id}`,
    type: 'run',
    status: run.status,
    ...(snapshot?.value === undefined ? {} : { state: snapshot.value }),
    children: flow ? nodesBelow(flow) : [],
  }
}

function nodesBelow(snapshot: StoredSnapshot): TreeNode[] {
  return Object.entries(snapshot.children ?? {}).map(([id, child]) => {
    const { status, value, context } = child.snapshot
    const isStage = context?.attempt !== undefined && context.stage !== undefined
    return {
      id: context?.stage !== undefined && isStage ? context.stage : id,
      type: isStage ? 'stage' : child.src === 'map' ? 'map' : 'actor',
      status,
      ...(value === undefined ? {} : { state: value }),
      ...(isStage ? stageFacts(context) : {}),
      children: nodesBelow(child.snapshot),
    }
  })
}
