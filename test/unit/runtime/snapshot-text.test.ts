import { describe, expect, it } from 'vitest'
import { createActor, fromTransition } from 'xstate'
import { type StageMachineContext, stageContextSchema, stageMachine } from '../../../machines/stage.machine.ts'
import { createSnapshotText } from '../../../src/runtime/actors/snapshot-text.ts'

const policy: StageMachineContext['policy'] = {
  maxRetries: 1,
  retryOn: [],
  remedies: [],
  restart: 'transient',
  intensity: 1,
  periodMs: 1000,
  livelockAfter: 2,
  onExhausted: 'fail',
  fallback: false,
  optional: false,
  preflight: false,
}

const untroubled = createActor(stageMachine, { input: { stage: 'a', policy, admission: 'run' } })
  .start()
  .getSnapshot().context

const failure: NonNullable<StageMachineContext['failure']> = {
  error: { name: 'Error', message: 'no' },
  type: 'runtime',
  kind: null,
  exhausted: false,
  answer: 'restart',
  retryAfterMs: null,
  signature: 's',
}

/** For each field of the context a value that an untroubled stage does not have. */
const troubled: { [K in keyof StageMachineContext]: StageMachineContext[K] } = {
  stage: 'b',
  policy: { ...policy, intensity: 9 },
  admission: 'refuse',
  attempt: 2,
  incarnation: 3,
  retries: 4,
  restarts: 5,
  spent: [{ at: 1, progress: 0 }],
  waits: 6,
  remediesTried: 7,
  failure,
  alike: { signature: 's', progress: 0, times: 1 },
  rule: 'retry',
  because: 'intensity',
  dueAt: 8,
}

/** The text of an actor of the stage's machine in this state, with this context. */
const textOf = (
  createText: ReturnType<typeof createSnapshotText>,
  context: StageMachineContext,
  value: 'running' | 'waiting' = 'running',
): string => {
  const snapshot = stageMachine.resolveState({ value, context })
  const actor = createActor(fromTransition(() => snapshot, snapshot))
  return createText(Object.assign(actor, { getSnapshot: () => snapshot }) as never)
}

const contextIn = (text: string): unknown => (JSON.parse(text) as { context: unknown }).context
const kept = ({ policy: _policy, ...context }: StageMachineContext): object => context

describe('the text of a snapshot', () => {
  it('tells the states of a stage that never failed apart', () => {
    const createText = createSnapshotText()
    const states = ['running', 'waiting', 'running'] as const
    const kept = states.map(state => JSON.parse(textOf(createText, untroubled, state)) as { value: unknown })
    expect(kept.map(({ value }) => value)).toEqual(states)
  })

  it('tells every field of the context of a stage apart from that of one that never failed', () => {
    for (const field of Object.keys(stageContextSchema.shape) as (keyof StageMachineContext)[]) {
      const createText = createSnapshotText()
      expect(contextIn(textOf(createText, untroubled))).toEqual(kept(untroubled))
      const other = { ...untroubled, [field]: troubled[field] }
      expect(contextIn(textOf(createText, other)), field).toEqual(kept(other))
      expect(contextIn(textOf(createText, { ...untroubled }))).toEqual(kept(untroubled))
    }
  })

  it('keeps the stages apart that never failed', () => {
    const createText = createSnapshotText()
    for (const stage of ['a', 'b', 'a', 'c[1]', 'b']) {
      expect(contextIn(textOf(createText, { ...untroubled, stage }))).toMatchObject({ stage })
    }
  })
})
