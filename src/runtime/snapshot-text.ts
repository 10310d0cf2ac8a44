/**
 * The persisted snapshot of a run as JSON text, as XState's `getPersistedSnapshot` would give it. XState makes a copy
 * of the whole tree of actors that is then made text; of machines whose contexts are known to be JSON, as ours are, the
 * text is put together without the copy. Whatever is not of the plain kind is left to XState.
 */
import type { AnyActor, AnyActorRef, AnyMachineSnapshot } from 'xstate'
import type { JsonText } from '../store/store.ts'
import { persistedContext } from './stage-rules.ts'

export function snapshotText(actor: AnyActorRef): JsonText {
  const snapshot = actor.getSnapshot() as AnyMachineSnapshot
  if (!isPlain(snapshot)) return JSON.stringify(actor.getPersistedSnapshot())
  const children: string[] = []
  for (const id in snapshot.children) {
    const child = snapshot.children[id]
    if (child) children.push(`${JSON.stringify(id)}:${childText(child)}`)
  }
  return `{"status":"active","value":${JSON.stringify(snapshot.value)},"historyValue":{},"context":${JSON.stringify(persistedContext(snapshot.context))},"children":{${children.join()}}}`
}

/** A machine that goes on, and that remembers no history. */
function isPlain(snapshot: AnyMachineSnapshot): boolean {
  if (snapshot.status !== 'active' || !('_nodes' in snapshot)) return false
  for (const _ in snapshot.historyValue) return false
  return true
}

/** What the parent needs to make the actor again. */
function childText(child: AnyActorRef): string {
  const { src, systemId, _syncSnapshot: syncSnapshot } = child as AnyActor & { readonly _syncSnapshot?: boolean }
  return `{"snapshot":${snapshotText(child)},${JSON.stringify({ src, systemId, syncSnapshot }).slice(1)}`
}
