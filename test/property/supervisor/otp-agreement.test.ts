import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import {
  type ChildSpec,
  createSupervisor,
  type Supervisor,
  type SupervisorEvent,
  type SupervisorSpec,
} from '../../../src/supervisor.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import {
  leafEnds,
  type ModelChildSpec,
  ModelSupervisor,
  type ModelSupervisorSpec,
  runningLeaves,
  type StartResult,
  World,
} from '../../support/otp-model.ts'
import { lineOf, propertyRuns, propertyTimeoutMs, stillborn, worker } from '../../support/supervised-worker.ts'

const ids = ['a', 'b', 'c', 'd', 'e', 'f']

type Command =
  | { readonly kind: 'fail' | 'finish'; readonly pick: number }
  | { readonly kind: 'terminate' | 'restart' | 'delete'; readonly pick: number }
  | { readonly kind: 'add'; readonly child: ModelChildSpec }
  | { readonly kind: 'advance'; readonly ms: number }

const strategies = fc.constantFrom('one-for-one' as const, 'one-for-all' as const, 'rest-for-one' as const)

const attempts = fc.oneof(
  { weight: 4, arbitrary: fc.constant<StartResult[]>(['ok']) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.constantFrom<StartResult>('ok', 'ok', 'ok', 'fail', 'ignore'), { minLength: 1, maxLength: 5 })
      .map<StartResult[]>(later => ['ok', ...later]),
  },
  { weight: 1, arbitrary: fc.array(fc.constantFrom<StartResult>('ok', 'ok', 'fail'), { minLength: 1, maxLength: 4 }) },
)

function childArbitrary(id: string, autoShutdown: string, depth: number): fc.Arbitrary<ModelChildSpec> {
  const restart = fc.constantFrom(
    'permanent' as const,
    'permanent' as const,
    'transient' as const,
    'temporary' as const,
  )
  const nested =
    depth > 0 ? fc.option(supervisorArbitrary(depth - 1), { nil: undefined, freq: 2 }) : fc.constant(undefined)
  return fc.record({ id: fc.constant(id), restart, significant: fc.boolean(), attempts, nested }).map(child => ({
    ...child,
    significant: child.significant && autoShutdown !== 'never' && child.restart !== 'permanent',
  }))
}

function supervisorArbitrary(depth: number): fc.Arbitrary<ModelSupervisorSpec> {
  return fc
    .record({
      strategy: strategies,
      intensity: fc.integer({ min: 0, max: 4 }),
      periodMs: fc.constantFrom(500, 1000),
      autoShutdown: fc.constantFrom(
        'never' as const,
        'never' as const,
        'any-significant' as const,
        'all-significant' as const,
      ),
      count: fc.integer({ min: 0, max: 4 }),
    })
    .chain(({ count, ...spec }) =>
      fc
        .tuple(...ids.slice(0, count).map(id => childArbitrary(id, spec.autoShutdown, depth)))
        .map(children => ({ ...spec, children: children as ModelChildSpec[] })),
    )
}

const pick = fc.nat(30)
const commandArbitrary: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('fail' as const), pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('finish' as const), pick }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('terminate' as const, 'restart' as const, 'delete' as const), pick }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      child: fc.constantFrom(...ids).chain(id => childArbitrary(id, 'never', 0)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 250, 499, 500, 501, 1000) }),
  },
)

/** The model's spec for the code under test. */
function liveSpec(spec: ModelSupervisorSpec, counts: Map<string, number>, path: string): SupervisorSpec {
  const { strategy, intensity, periodMs, autoShutdown } = spec
  const children = spec.children.map(child => liveChild(child, counts, path))
  return { strategy, intensity, period: periodMs, autoShutdown, children }
}

function liveChild(child: ModelChildSpec, counts: Map<string, number>, path: string): ChildSpec {
  const place = `${path}${child.id}`
  const logic = child.nested
    ? liveSpec(child.nested, counts, `${place}/`)
    : () => {
        const attempt = counts.get(place) ?? 0
        counts.set(place, attempt + 1)
        const result = child.attempts[attempt % child.attempts.length]
        return result === 'ignore' ? result : result === 'fail' ? stillborn : worker
      }
  return { id: child.id, restart: child.restart, significant: child.significant, logic }
}

const outcome = (call: Promise<unknown>): Promise<string> => call.then(() => 'ok').catch(error => error.code)

/** Does the same to both and tells what each said. */
async function compare(tree: ModelSupervisorSpec, commands: readonly Command[]): Promise<void> {
  const clock = virtualClock(0)
  const events: SupervisorEvent[] = []
  const counts = new Map<string, number>()
  const onEvent = (event: SupervisorEvent): void => {
    if (event.type === 'child.started' || event.type === 'child.exited') events.push(event)
  }
  const sup = createSupervisor({ ...liveSpec(tree, counts, ''), clock, onEvent })
  const world = new World()
  const model = new ModelSupervisor(tree, world)
  const agree = (): void => {
    expect(events.map(lineOf)).toEqual(world.log)
    if (!model.isUp) return
    const states = model.children.map(({ spec, state }) => `${spec.id} ${state}`)
    expect(sup.whichChildren().map(({ id, status }) => `${id} ${status}`)).toEqual(states)
  }
  expect(await outcome(sup.start())).toBe(model.start() ? 'ok' : 'start_failed')
  agree()
  for (const command of commands) {
    if (!model.isUp) break
    await apply(command, sup, model, counts)
    const ms = command.kind === 'advance' ? command.ms : 0
    await clock.advance(ms)
    world.now += ms
    agree()
  }
  if (model.isUp) {
    model.stop()
    await sup.stop()
  }
  agree()
  expect((await sup.stopped).reason).toBe(model.endReason)
  expect(clock.pending).toBe(0)
}

async function apply(
  command: Command,
  sup: Supervisor,
  model: ModelSupervisor,
  counts: Map<string, number>,
): Promise<void> {
  if (command.kind === 'advance') return
  if (command.kind === 'add') {
    const said = await outcome(sup.startChild(liveChild(command.child, counts, '')))
    expect(said).toBe(model.startChild(command.child))
  } else if (command.kind === 'fail' || command.kind === 'finish') {
    const leaves = runningLeaves(model)
    const path = leaves[command.pick % leaves.length]
    if (path === undefined) return
    leafEnds(model, path, command.kind === 'fail' ? 'abnormal' : 'normal')
    sup.child(path).send({ type: command.kind === 'fail' ? 'FAIL' : 'FINISH' })
  } else {
    const id = ids[command.pick % ids.length] as string
    const method = `${command.kind}Child` as 'terminateChild' | 'restartChild' | 'deleteChild'
    expect(await outcome(sup[method](id))).toBe(model[method](id))
  }
}

vi.setConfig({ testTimeout: propertyTimeoutMs })

describe('agreement with the model of OTP', () => {
  const commands = fc.array(commandArbitrary, { maxLength: 25 })

  it('starts, stops, restarts and refuses in the same order, in a flat tree', async () => {
    await fc.assert(fc.asyncProperty(supervisorArbitrary(0), commands, compare), { numRuns: propertyRuns })
  })

  it('does so in nested trees', async () => {
    await fc.assert(fc.asyncProperty(supervisorArbitrary(2), commands, compare), { numRuns: propertyRuns })
  })
})
