/** The supervision tree as plain data: supervisors from the supervisor, runs from their actors. */

import type { AnyActorRef } from 'xstate'
import type { Supervisor } from '../../supervisor/create-supervisor.ts'
import type { TreeNode } from '../api.ts'
import type { LiveRun } from '../run/live.ts'
import { type StageFacts, stageFacts } from '../stage/stage-facts.ts'
import { nameOfChild } from './child-name.ts'

const typeBySupervisor: Readonly<Record<string, TreeNode['type']>> = {
  services: 'service',
  providers: 'circuit',
  monitors: 'monitor',
}

/** @param runs the nodes to put below `runs` */
export function supervisorNode(
  supervisor: Supervisor,
  status: TreeNode['status'],
  runs: readonly TreeNode[],
): TreeNode {
  // A nested supervisor's id is its path in the tree.
  const id = supervisor.id.slice(supervisor.id.lastIndexOf('/') + 1)
  const children = supervisor.whichChildren().map((child): TreeNode => {
    if (child.id === 'runs' && id === 'root')
      return { id: 'runs', type: 'supervisor', status: child.status, children: runs }
    if (child.type === 'supervisor') return supervisorNode(supervisor.supervisor(child.id), child.status, runs)
    const snapshot = supervisor.child(child.id).getSnapshot() as { value?: unknown } | undefined
    return {
      id: nameOfChild(child.id),
      type: typeBySupervisor[id] ?? 'actor',
      status: child.status,
      ...(snapshot?.value === undefined ? {} : { state: snapshot.value }),
      incarnation: child.incarnation,
      children: [],
    }
  })
  return { id, type: 'supervisor', status, children }
}

export function runNode(run: LiveRun): TreeNode {
  const { flow } = run
  return {
    id: `run:${run.id}`,
    type: 'run',
    status: run.status,
    ...(run.root ? { state: (run.root.getSnapshot() as { value?: unknown }).value } : {}),
    children: flow ? childNodes(run, flow) : [],
  }
}

function childNodes(run: LiveRun, actor: AnyActorRef): TreeNode[] {
  const { children = {} } = actor.getSnapshot() as { children?: Record<string, AnyActorRef | undefined> }
  return Object.values(children).flatMap(child => {
    if (!child) return []
    const snapshot = child.getSnapshot() as {
      status: string
      value?: unknown
      context?: StageFacts & { stage?: string }
    }
    const stage = run.stages.get(child)
    const type = stage ? 'stage' : child.src === 'map' ? 'map' : 'actor'
    return [
      {
        id: stage?.name ?? child.id,
        type,
        status: snapshot.status,
        ...(snapshot.value === undefined ? {} : { state: snapshot.value }),
        ...(type === 'stage' ? stageFacts(snapshot.context) : {}),
        children: childNodes(run, child),
      } satisfies TreeNode,
    ]
  })
}
