/** Random trees without actors and what happens to them: the same commands for `PureSupervision` and a live supervisor. */
import fc from 'fast-check'
import type { PureChildSpec, PureSpec, PureSupervision, StartResult } from './pure-supervision.ts'

export const ids = ['a', 'b', 'c', 'd', 'e']
export const restartTypes = fc.constantFrom('permanent' as const, 'transient' as const, 'temporary' as const)
export const strategies = fc.constantFrom('one-for-one' as const, 'one-for-all' as const, 'rest-for-one' as const)
export const groupStrategies = fc.constantFrom('one-for-all' as const, 'rest-for-one' as const)

export type Command =
  | { readonly kind: 'fail' | 'finish' | 'terminate' | 'restart' | 'add'; readonly id: string }
  | { readonly kind: 'advance'; readonly ms: number }

const attempts = fc.oneof(
  { weight: 3, arbitrary: fc.constant<StartResult[]>(['ok']) },
  fc
    .array(fc.constantFrom<StartResult>('ok', 'ok', 'fail', 'ignore'), { maxLength: 4 })
    .map<StartResult[]>(later => ['ok', ...later]),
)

const backoff = fc.constantFrom(null, { kind: 'linear' as const, base: 5, max: 40, jitter: 0, resetAfterMs: 30 })

function childOf(id: string, autoShutdown: string, depth: number): fc.Arbitrary<PureChildSpec> {
  const nested = depth > 0 ? fc.option(specs(depth - 1), { nil: undefined, freq: 2 }) : fc.constant(undefined)
  return fc
    .record({ id: fc.constant(id), restart: restartTypes, significant: fc.boolean(), attempts, nested })
    .map(({ nested: below, ...child }) => ({
      ...child,
      ...(below ? { nested: below } : {}),
      significant: child.significant && autoShutdown !== 'never' && child.restart !== 'permanent',
    }))
}

export function specs(depth = 0): fc.Arbitrary<PureSpec> {
  return fc
    .record({
      strategy: strategies,
      intensity: fc.integer({ min: 0, max: 4 }),
      periodMs: fc.constantFrom(50, 100),
      autoShutdown: fc.constantFrom('never' as const, 'any-significant' as const, 'all-significant' as const),
      backoff,
      count: fc.integer({ min: 1, max: 5 }),
    })
    .chain(({ count, ...spec }) =>
      fc
        .tuple(...ids.slice(0, count).map(id => childOf(id, spec.autoShutdown, depth)))
        .map(children => ({ ...spec, children: children as PureChildSpec[] })),
    )
}

const id = fc.constantFrom(...ids)
export const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('fail' as const), id }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constantFrom('finish' as const, 'terminate' as const, 'restart' as const, 'add' as const),
        id,
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(0, 1, 10, 60) }) },
  ),
  { maxLength: 25 },
)

/** What `add` adds. */
export const addedSpec = (id: string): PureChildSpec => ({ id, restart: 'transient' })

/** The leaf that a command means: the first that runs at or below the child of that id. */
export function leafOf(supervision: PureSupervision, id: string): { whose: PureSupervision; id: string } | undefined {
  const child = supervision.find(id)
  if (child?.state !== 'running') return undefined
  if (!child.nested) return { whose: supervision, id }
  const first = child.nested.running()[0]
  return first && leafOf(child.nested, first.spec.id)
}

export function apply(supervision: PureSupervision, command: Command): void {
  if (command.kind === 'advance') return supervision.advance(command.ms)
  if (!supervision.isRunning) return
  if (command.kind === 'terminate' || command.kind === 'restart') return supervision[command.kind](command.id)
  if (command.kind === 'add') return void supervision.add(addedSpec(command.id))
  const leaf = leafOf(supervision, command.id)
  leaf?.whose.end(leaf.id, command.kind === 'fail' ? 'abnormal' : 'normal')
}
