/**
 * The persisted snapshot of a run as JSON text, as XState's `getPersistedSnapshot` would give it. XState makes a copy
 * of the whole tree of actors that is then made text; of machines whose contexts are known to be JSON, as ours are, the
 * text is put together without the copy, and what has not changed since the last time is not made again. Whatever is
 * not of the plain kind is left to XState.
 */
import type { AnyActor, AnyActorRef, AnyMachineSnapshot } from 'xstate'
import type { StageMachineContext } from '../../../machines/stage.machine.ts'
import type { JsonText } from '../../store/store.ts'
import { persistedContext } from '../stage/stage-rules.ts'

export type SnapshotText = (actor: AnyActorRef) => JsonText

export function createSnapshotText(): SnapshotText {
  /** Of contexts and states of lives and flows, which most steps leave as they are. */
  const texts = new WeakMap<object, JsonText>()

  const stageText = createStageTexts()

  const keptText = (value: object): JsonText => {
    const known = texts.get(value)
    if (known !== undefined) return known
    const text = JSON.stringify(value)
    texts.set(value, text)
    return text
  }

  const valueText = (value: AnyMachineSnapshot['value']): JsonText =>
    typeof value === 'string' ? JSON.stringify(value) : keptText(value)

  const snapshotText: SnapshotText = actor => {
    const snapshot = actor.getSnapshot() as AnyMachineSnapshot
    if (!isPlain(snapshot)) return JSON.stringify(actor.getPersistedSnapshot())
    if ('policy' in snapshot.context) return stageText(snapshot)
    let children = ''
    for (const id in snapshot.children) {
      const child = snapshot.children[id] as AnyActor | undefined
      if (child)
        children += `${children === '' ? '' : ','}${JSON.stringify(id)}:${childText(child, snapshotText(child))}`
    }
    return plainText(valueText(snapshot.value), keptText(snapshot.context), children)
  }
  return snapshotText
}

const plainText = (value: JsonText, context: JsonText, children: string): JsonText =>
  `{"status":"active","value":${value},"historyValue":{},"context":${context},"children":{${children}}}`

/**
 * A stage has no children. Most never fail, and then all snapshots of a stage are the same but for its state, which is
 * nearly always that it works.
 */
function createStageTexts(): (snapshot: AnyMachineSnapshot) => JsonText {
  const untroubled = new Map<string, { readonly value: unknown; readonly text: JsonText }>()
  return ({ value, context }) => {
    const stage = context as StageMachineContext
    const text = () => plainText(JSON.stringify(value), JSON.stringify(persistedContext(stage)), '')
    if (!isUntroubled(stage)) return text()
    const known = untroubled.get(stage.stage)
    if (known !== undefined && known.value === value) return known.text
    const made = { value, text: text() }
    if (untroubled.size >= mostStageTexts) untroubled.clear()
    untroubled.set(stage.stage, made)
    return made.text
  }
}

/** Items are stages too, and there may be very many. */
const mostStageTexts = 10_000

const isUntroubled = (context: StageMachineContext): boolean =>
  context.admission === 'run' &&
  context.attempt === 1 &&
  context.incarnation === 1 &&
  context.failure === null &&
  context.dueAt === null &&
  context.because === null &&
  context.rule === null &&
  context.alike === null &&
  context.retries + context.restarts + context.waits + context.remediesTried + context.spent.length === 0

/** A machine that goes on, and that remembers no history. */
function isPlain(snapshot: AnyMachineSnapshot): boolean {
  if (snapshot.status !== 'active' || !('_nodes' in snapshot)) return false
  for (const _ in snapshot.historyValue) return false
  return true
}

/** What the parent needs to make the actor again; none of ours has a system id. */
const childText = ({ src }: AnyActor, snapshot: JsonText): JsonText =>
  `{"snapshot":${snapshot},"src":${JSON.stringify(src)},"syncSnapshot":false}`
