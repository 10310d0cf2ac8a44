/** Random trees of supervisors and what happens to them, for OTP and for `createSupervisor` alike. */
import fc from 'fast-check'
import type { Attempt, Call, Command, Scenario, TreeChild, TreeSpec, WorkerPlan } from './otp-scenario.ts'

const ids = ['a', 'b', 'c', 'd', 'e']
const anyId = fc.constantFrom(...ids)
const restarts = fc.constantFrom('permanent' as const, 'permanent' as const, 'transient' as const, 'temporary' as const)

const attempt = (results: readonly Attempt['result'][]): fc.Arbitrary<Attempt> =>
  fc.record({ result: fc.constantFrom(...results), calls: fc.constant([]) })

const oftenOk: fc.Arbitrary<readonly Attempt[]> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Attempt[]>([{ result: 'ok', calls: [] }]) },
  {
    weight: 2,
    arbitrary: fc
      .array(attempt(['ok', 'ok', 'ok', 'fail', 'throw', 'garbage', 'ignore']), { minLength: 1, maxLength: 5 })
      .map(later => [{ result: 'ok' as const, calls: [] }, ...later]),
  },
  { weight: 1, arbitrary: fc.array(attempt(['ok', 'ok', 'ok', 'fail', 'ignore']), { minLength: 1, maxLength: 4 }) },
)

const onShutdown = fc.constantFrom<WorkerPlan['onShutdown']>(
  'obey',
  'obey',
  'obey',
  'finish',
  'crash',
  'ignore',
  'kill',
)

const worker: fc.Arbitrary<WorkerPlan> = fc.record({ attempts: oftenOk, onShutdown })

function childOf(
  id: string,
  autoShutdown: string,
  depth: number,
  workers: fc.Arbitrary<WorkerPlan>,
): fc.Arbitrary<TreeChild> {
  const work = depth > 0 ? fc.oneof({ weight: 3, arbitrary: workers }, treeOf(depth - 1, workers)) : workers
  return fc.record({ id: fc.constant(id), restart: restarts, significant: fc.boolean(), work }).map(child => ({
    ...child,
    significant: child.significant && autoShutdown !== 'never' && child.restart !== 'permanent',
  }))
}

function treeOf(depth: number, workers: fc.Arbitrary<WorkerPlan>): fc.Arbitrary<TreeSpec> {
  return fc
    .record({
      strategy: fc.constantFrom('one-for-one' as const, 'one-for-all' as const, 'rest-for-one' as const),
      intensity: fc.integer({ min: 0, max: 4 }),
      periodMs: fc.constantFrom(1, 500, 1000),
      autoShutdown: fc.constantFrom('never', 'never', 'any-significant', 'all-significant' as const),
      count: fc.integer({ min: 0, max: 4 }),
    })
    .chain(({ count, ...spec }) =>
      fc
        .tuple(...ids.slice(0, count).map(id => childOf(id, spec.autoShutdown, depth, workers)))
        .map(children => ({ ...spec, children: children as TreeChild[] }) as TreeSpec),
    )
}

/** Paths of the workers and of the supervisors that the tree has from the start. */
function pathsOf(tree: TreeSpec, prefix = ''): { workers: string[]; supervisors: string[] } {
  const paths = { workers: [] as string[], supervisors: [] as string[] }
  for (const { id, work } of tree.children) {
    const path = `${prefix}${id}`
    if (!('children' in work)) {
      paths.workers.push(path)
      continue
    }
    const below = pathsOf(work, `${path}/`)
    paths.workers.push(...below.workers)
    paths.supervisors.push(path, ...below.supervisors)
  }
  return paths
}

function callOf(depth: number, workers: fc.Arbitrary<WorkerPlan>): fc.Arbitrary<Call> {
  return fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('terminate' as const, 'restart' as const, 'delete' as const),
        id: anyId,
      }),
    },
    {
      weight: 2,
      arbitrary: anyId
        .chain(id => childOf(id, 'never', depth, workers))
        .map(child => ({ kind: 'start' as const, child })),
    },
  )
}

function commandsFor(tree: TreeSpec, depth: number, workers: fc.Arbitrary<WorkerPlan>): fc.Arbitrary<Command[]> {
  const paths = pathsOf(tree)
  const worker = fc.constantFrom(...paths.workers, ...ids)
  const command: fc.Arbitrary<Command> = fc.oneof(
    { weight: 7, arbitrary: fc.record({ kind: fc.constant('fail' as const), path: worker }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('finish' as const), path: worker }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('call' as const),
        path: fc.constantFrom('', '', ...paths.supervisors),
        call: callOf(depth, workers),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 250, 499, 500, 501, 1000) }),
    },
  )
  return fc.array(command, { maxLength: 25 })
}

function scenariosOf(depth: number, workers: fc.Arbitrary<WorkerPlan>): fc.Arbitrary<Scenario> {
  return treeOf(depth, workers).chain(tree =>
    commandsFor(tree, Math.min(depth, 1), workers).map(commands => ({ tree, commands })),
  )
}

export const flatScenarios = scenariosOf(0, worker)
export const nestedScenarios = scenariosOf(2, worker)

const okOr = (calls: fc.Arbitrary<Call[]>, ...results: Attempt['result'][]): fc.Arbitrary<WorkerPlan> =>
  fc.record({
    attempts: fc.array(fc.record({ result: fc.constantFrom<Attempt['result']>('ok', 'ok', ...results), calls }), {
      minLength: 1,
      maxLength: 4,
    }),
    onShutdown,
  })

const nowAndThen = (calls: fc.Arbitrary<Call>): fc.Arbitrary<Call[]> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant<Call[]>([]) }, fc.array(calls, { maxLength: 2 }))

/**
 * Calls that come while a start or a restart is under way. Of a group that OTP has started in part, it takes those after
 * the failed one for stopped, and here they wait for their restart: so in groups no start fails.
 */
export const busyScenarios: fc.Arbitrary<Scenario> = scenariosOf(
  0,
  okOr(nowAndThen(callOf(0, worker)), 'fail', 'ignore'),
).map(({ tree, commands }) => {
  if (tree.strategy === 'one-for-one') return { tree, commands }
  const text = JSON.stringify({ tree, commands })
  return JSON.parse(text.replaceAll(/"(fail|throw|garbage)","calls"/g, '"ignore","calls"'))
})

/** One child that, now and then, has ended as its start returns, while others may decline. */
export const shortLivedScenarios: fc.Arbitrary<Scenario> = fc
  .tuple(scenariosOf(0, okOr(fc.constant([]), 'ignore')), okOr(fc.constant([]), 'done', 'done'))
  .map(([{ tree, commands }, work]) => {
    const [first, ...rest] = tree.children
    return { tree: { ...tree, children: first ? [{ ...first, work }, ...rest] : [] }, commands }
  })

/** Failures at the edges of the period: a whole one and a half apart, and a millisecond less or more. */
export const windowScenarios: fc.Arbitrary<Scenario> = fc
  .tuple(treeOf(0, okOr(fc.constant([]), 'fail')), fc.integer({ min: 1, max: 3 }), fc.constantFrom(2, 500))
  .chain(([tree, intensity, periodMs]) => {
    const steps = [0, periodMs / 2, periodMs - 1, periodMs, periodMs, periodMs + 1]
    const failure = fc.constantFrom(...ids.slice(0, 2)).map(path => ({ kind: 'fail' as const, path }))
    const advance = fc.constantFrom(...steps).map(ms => ({ kind: 'advance' as const, ms }))
    const commands = fc.array(fc.tuple(failure, advance), { minLength: 2, maxLength: 12 })
    return commands.map(pairs => ({
      tree: {
        ...tree,
        intensity,
        periodMs,
        autoShutdown: 'never' as const,
        children: tree.children.map(insignificant),
      },
      commands: pairs.flat(),
    }))
  })

const insignificant = (child: TreeChild): TreeChild => ({ ...child, significant: false })
