/**
 * The runs that the crash tests put through everything: one of each thing that a run can do, small enough that every
 * write to its store can be the last. What a run really does outside of the store is counted in `done`; what an operator
 * does is done once, by looking at the journal first, as one does who heard no answer.
 */
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { defineProfile } from '../../src/resilience/define-profile.ts'
import type { Run, RunResult, Runtime } from '../../src/runtime/api.ts'
import { createRuntime } from '../../src/runtime/create-runtime.ts'
import type { JournalRow, Store } from '../../src/store/store.ts'
import { scriptedProvider } from '../../src/testing/scripted-provider.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { seededRandom } from '../../src/time/random.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'
import type { AnyWorkflow } from '../../src/workflow/definition.ts'
import { workflowFromMachine } from '../../src/workflow/own-machine.ts'
import { stageActor } from '../../src/workflow/stage-actor.ts'

export interface Scenario {
  readonly name: string
  /** `know`: the runtime is given this workflow, too; others it knows by the code that starts a run of them alone. */
  readonly workflow: (count: Count, know: <T extends AnyWorkflow>(workflow: T) => T) => AnyWorkflow
  /** What an operator does, one after the other; each is known by the journal event that it leaves. */
  readonly acts?: readonly Act[]
  readonly start?: { readonly deadline?: string }
  readonly ends: 'completed' | 'cancelled' | 'failed' | 'quarantined'
}

interface Act {
  readonly leaves: string
  /** Minutes to wait before. */
  readonly after?: number
  readonly do: (run: Run) => Promise<void>
}

/** Notes that it was really done, and gives the value. */
export type Count = <T>(what: string, value: T) => T

const signals = { go: z.object({ n: z.number() }) }
const begin = () => defineWorkflow({ name: 'scenario', version: '1', signals })
const signal = (n: number, after = 0): Act => ({ leaves: 'signal.received', after, do: run => run.signal('go', { n }) })

export const scenarios: readonly Scenario[] = [
  {
    name: 'a chain with steps',
    ends: 'completed',
    workflow: count =>
      begin()
        .stage('a', ({ step }) => step('a', () => count('a', 1)))
        .stage('b', async ({ step, results }) => {
          const two = await step('two', () => count('two', 2))
          return results.a + two + (await step('three', () => count('three', 3)))
        })
        .stage('c', ({ results }) => results.b * 7),
  },
  {
    name: 'parallel branches that join',
    ends: 'completed',
    workflow: count =>
      begin()
        .stage('a', { needs: [] }, ({ step }) => step('a', () => count('a', 1)))
        .stage('b', { needs: [] }, ({ step }) => step('b', () => count('b', 2)))
        .stage('c', { needs: ['a'] }, async ({ results, sleep }) => {
          await sleep('3m')
          return results.a
        })
        .stage('d', { needs: ['a', 'b'], when: ({ results }) => results.b === 2 }, ({ step }) =>
          step('d', () => count('d', 4)),
        )
        .stage('e', { needs: ['c', 'd'], when: () => false }, () => 'never')
        .stage('f', { needs: ['c', 'd', 'e'] }, ({ results }) => results)
        .output(({ results }) => results),
  },
  {
    name: 'a fork and a map with a sleep',
    ends: 'completed',
    workflow: count =>
      begin()
        .stage('a', () => 1)
        .stage('b', { needs: ['a'] }, async ({ sleep }) => {
          await sleep('10m')
          return 'b'
        })
        .stage('c', { needs: ['a'] }, ({ step }) => step('c', () => count('c', 'c')))
        .map('each', { needs: ['b', 'c'], over: () => [1, 2, 3], concurrency: 2 }, ({ item, step, stage }) =>
          step('x', () => count(stage, item * 2)),
        )
        .output(({ results }) => results),
  },
  {
    name: 'a map whose items fail, are retried and are lost',
    ends: 'completed',
    workflow: count =>
      begin()
        .map(
          'each',
          { over: () => ['good', 'busy', 'bad'], key: item => item, optional: true, restart: 'temporary' },
          ({ item, attempt, step, stage }) => {
            if (item === 'bad') throw new Error('bad')
            if (item === 'busy' && attempt === 1) throw Object.assign(new Error('busy'), { status: 503 })
            return step('x', () => count(stage, item))
          },
        )
        .stage('last', ({ results }) => results.each)
        .output(({ results }) => results),
  },
  {
    name: 'failures: a retry, a restart, a fallback and a lost stage',
    ends: 'completed',
    workflow: count =>
      begin()
        .stage('a', ({ attempt, step }) => {
          if (attempt === 1) throw Object.assign(new Error('busy'), { status: 503 })
          if (attempt === 2) throw new Error('broken')
          return step('a', () => count('a', attempt))
        })
        .stage('b', { restart: 'temporary', fallback: () => 'instead' }, (): string => {
          throw new Error('b is broken')
        })
        .stage('c', { restart: 'temporary', optional: true }, (): string => {
          throw new Error('c is broken')
        })
        .output(({ results }) => results),
  },
  {
    name: 'a stage that uses up its attempts and its restarts',
    ends: 'failed',
    workflow: count =>
      begin()
        .stage('a', ({ step }) => step('a', () => count('a', 1)))
        .stage('b', { profile: defineProfile({ extends: 'balanced', restart: { intensity: 2 } }) }, (): string => {
          throw Object.assign(new Error('always busy'), { status: 503 })
        }),
  },
  {
    name: 'quarantine by profile',
    ends: 'quarantined',
    workflow: count =>
      begin()
        .stage('a', ({ step }) => step('a', () => count('a', 1)))
        .stage(
          'b',
          { profile: defineProfile({ extends: 'critical', restart: { intensity: 1, onExhausted: 'quarantine' } }) },
          (): string => {
            throw new Error('poison')
          },
        ),
  },
  {
    name: 'signals and a child run',
    ends: 'completed',
    acts: [signal(0), signal(1)],
    workflow: count => {
      const child = defineWorkflow({ name: 'child', version: '1' }).stage('only', ({ step }) =>
        step('only', () => count('child', 5)),
      )
      return begin()
        .stage('a', async ({ waitFor }) => [await waitFor('go'), await waitFor('go')].map(payload => payload.n))
        .stage('b', async ({ startChild }) => {
          const result = await (await startChild(child, undefined)).result()
          return result.success ? result.output : undefined
        })
        .output(({ results }) => results)
    },
  },
  {
    name: 'timers: long sleeps in the store, a signal that is late and one that never comes',
    ends: 'completed',
    acts: [signal(1, 130)],
    workflow: count =>
      begin()
        .stage('a', async ({ sleep, step }) => {
          await sleep('1h')
          await step('between', () => count('between', 1))
          await sleep('30m')
          return 'slept'
        })
        .stage('b', async ({ waitFor }) => (await waitFor('go')).n)
        .stage('c', async ({ waitFor }) =>
          waitFor('go', { timeout: '20m' }).catch((error: { code: string }) => error.code),
        )
        .output(({ results }) => results),
  },
  {
    name: 'a child that sleeps long, and one that outlives its parent',
    ends: 'completed',
    workflow: count => {
      const sleeper = defineWorkflow({ name: 'sleeper', version: '1' }).stage(
        'only',
        async ({ sleep, step, runId }) => {
          await sleep('40m')
          return step('only', () => count(`sleeper ${runId}`, 'rested'))
        },
      )
      return begin()
        .stage('a', async ({ startChild }) => {
          await startChild(sleeper, undefined, { onParentClose: 'abandon', id: 'abandoned' })
          const child = await startChild(sleeper, undefined)
          const result = await child.result()
          return result.success ? result.output : result.status
        })
        .output(({ results }) => results)
    },
  },
  {
    name: 'cancel: the child goes with it, and what had succeeded is compensated',
    ends: 'cancelled',
    acts: [{ leaves: 'run.cancelling', after: 5, do: run => run.cancel('enough') }],
    workflow: (count, know) => {
      const child = know(defineWorkflow({ name: 'child', version: '1' }).stage('only', ({ sleep }) => sleep('20d')))
      return begin()
        .stage('a', { compensate: () => void count('undo a', 0) }, ({ step }) => step('a', () => count('a', 1)))
        .stage('b', { compensate: () => void count('undo b', 0) }, ({ step }) => step('b', () => count('b', 1)))
        .stage('c', async ({ startChild }) => (await startChild(child, undefined)).result())
    },
  },
  {
    name: 'pause and resume',
    ends: 'completed',
    acts: [
      { leaves: 'run.paused', after: 1, do: run => run.pause('lunch') },
      { leaves: 'run.resumed', after: 30, do: run => run.resume() },
    ],
    workflow: count =>
      begin()
        .stage('a', async ({ step, sleep }) => {
          await step('a', () => count('a', 1))
          await sleep('10m')
          return step('again', () => count('again', 2))
        })
        .stage('b', ({ results }) => results.a),
  },
  {
    name: 'a deadline that passes',
    ends: 'failed',
    start: { deadline: '30m' },
    workflow: count =>
      begin()
        .stage('a', ({ step }) => step('a', () => count('a', 1)))
        .stage('b', ({ sleep }) => sleep('1d')),
  },
  {
    name: 'model calls',
    ends: 'completed',
    workflow: () =>
      begin()
        .stage('a', async ({ model }) => {
          const one = await model.generate({ prompt: 'one' })
          const two = await model.generate({ prompt: 'two' })
          const [three, four] = await Promise.all([
            model.generate({ prompt: 'three' }),
            model.generate({ prompt: 'four', key: 'another' }),
          ])
          return [one, two, three, four].map(answer => answer.text)
        })
        .output(({ results }) => results),
  },
  {
    name: "a machine of one's own: after, parallel states, history, a spawned child and stages",
    ends: 'completed',
    acts: [
      { leaves: 'signal.received', after: 12, do: run => run.signal('LEAVE', {}) },
      { leaves: 'signal.received', after: 3, do: run => run.signal('BACK', {}) },
    ],
    workflow: count => workflowFromMachine({ name: 'scenario', version: '1', machine: ownMachine(count) as never }),
  },
]

function ownMachine(count: Count) {
  const ringer = setup({ delays: { soon: 900_000 } }).createMachine({
    id: 'ringer',
    initial: 'quiet',
    states: { quiet: { after: { soon: 'loud' } }, loud: { type: 'final' } },
  })
  return setup({
    types: {} as { context: { rings: number; fetched: string[] }; events: { type: 'LEAVE' } | { type: 'BACK' } },
    actors: {
      ringer,
      fetch: stageActor({ input: z.object({ what: z.string() }) }, ({ input, step }) =>
        step('fetch', () => count(`fetch ${input.what}`, `got ${input.what}`)),
      ),
    },
  }).createMachine({
    id: 'own',
    context: { rings: 0, fetched: [] },
    type: 'parallel',
    states: {
      bell: {
        initial: 'waiting',
        states: {
          waiting: {
            invoke: {
              id: 'bell',
              src: 'ringer',
              onDone: { target: 'rang', actions: assign({ rings: ({ context }) => context.rings + 1 }) },
            },
          },
          rang: { type: 'final' },
        },
      },
      work: {
        initial: 'inside',
        states: {
          inside: {
            initial: 'first',
            on: { LEAVE: 'outside' },
            states: {
              first: {
                invoke: {
                  id: 'fetch',
                  src: 'fetch',
                  input: { what: 'first' },
                  onDone: {
                    target: 'resting',
                    actions: assign({ fetched: ({ context, event }) => [...context.fetched, event.output as string] }),
                  },
                },
              },
              resting: { after: { 600000: 'rested' } },
              rested: {},
              memory: { type: 'history' },
            },
          },
          outside: { on: { BACK: 'back' }, after: { 7200000: 'over' } },
          back: {
            invoke: {
              id: 'fetch',
              src: 'fetch',
              input: { what: 'second' },
              onDone: {
                target: 'inside.memory',
                actions: assign({ fetched: ({ context, event }) => [...context.fetched, event.output as string] }),
              },
            },
            after: { 60000: 'over' },
          },
          over: { type: 'final' },
        },
        always: { guard: ({ context }) => context.fetched.length === 2, target: '.over' },
      },
    },
    output: ({ context }) => context,
  })
}

export interface World {
  readonly clock: ReturnType<typeof virtualClock>
  readonly random: () => number
  /** How often what was really done. */
  readonly done: Map<string, number>
  /** How often which prompt was answered. */
  readonly answered: Map<string, number>
  readonly workflow: AnyWorkflow
  /** What the runtime is given. */
  readonly workflows: readonly AnyWorkflow[]
}

/** What the world was like at some moment: its time, and what had been done in it. */
export interface Moment {
  readonly now: number
  readonly done: ReadonlyMap<string, number>
  readonly answered: ReadonlyMap<string, number>
}

export const momentOf = ({ clock, done, answered }: World): Moment => ({
  now: clock.now(),
  done: new Map(done),
  answered: new Map(answered),
})

/**
 * @param onDone told of each thing that is really done
 * @param from the moment that it goes on from; by default the beginning
 */
export function createScenarioWorld(
  scenario: Scenario,
  onDone: (what: string) => void = () => {},
  from?: Moment,
): World {
  const done = new Map(from?.done)
  const count: Count = (what, value) => {
    done.set(what, (done.get(what) ?? 0) + 1)
    onDone(what)
    return value
  }
  const known: AnyWorkflow[] = []
  const workflow = scenario.workflow(count, other => {
    known.push(other)
    return other
  })
  return {
    clock: virtualClock(from?.now),
    random: seededRandom(7),
    done,
    answered: new Map(from?.answered),
    workflow,
    workflows: [workflow, ...known],
  }
}

const longestMinutes = 400

/** Opens a runtime on the store and pushes the run as far as it goes; undefined when the process died. */
export async function live(
  world: World,
  scenario: Scenario,
  store: Store,
  onCall: (prompt: string) => void = () => {},
): Promise<RunResult | undefined> {
  const provider = scriptedProvider(
    [
      request => {
        const text = String(request.messages.at(-1)?.content)
        world.answered.set(text, (world.answered.get(text) ?? 0) + 1)
        onCall(text)
        return { text: `answer to ${text}`, cost: 1 }
      },
    ],
    { clock: world.clock, loop: true },
  )
  let runtime: Runtime | undefined
  try {
    runtime = await createRuntime({
      store,
      clock: world.clock,
      random: world.random,
      logger: false,
      mode: 'minimal',
      workflows: world.workflows,
      providers: [provider],
    })
    const run = await passing(world, runtime.start(world.workflow, undefined, { id: 'r', ...scenario.start }))
    if (!run) return undefined
    for (const [place, act] of (scenario.acts ?? []).entries()) {
      if (!(await operate(world, scenario, place, act, run, store))) return undefined
    }
    const result = await passing(world, run.result())
    // What follows from the end, such as the ends of children, takes its course.
    if (result) await world.clock.advance('2h')
    return result
  } catch {
    return undefined
  } finally {
    await runtime?.close().catch(() => {})
  }
}

/** An operator who heard no answer looks before he does it again. False when the process died. */
async function operate(
  world: World,
  { acts = [] }: Scenario,
  place: number,
  { leaves, after = 0, do: act }: Act,
  run: Run,
  store: Store,
): Promise<boolean> {
  const before = acts.slice(0, place).filter(other => other.leaves === leaves).length
  const isDone = async (): Promise<boolean> =>
    (await store.readJournal('r', { limit: 1000 })).filter(row => row.type === leaves).length > before
  if (await isDone()) return true
  await world.clock.advance(after * 60_000)
  const given = await passing(
    world,
    act(run).then(
      () => true,
      error => (error.code === 'run_not_open' ? true : Promise.reject(error)),
    ),
  )
  return given ?? false
}

/** What the promise gives, or undefined when it rejects or nothing comes of it for hours. */
async function passing<T>({ clock }: World, promise: Promise<T>): Promise<T | undefined> {
  let settled: { value?: T } | undefined
  promise.then(
    value => {
      settled = { value }
    },
    () => {
      settled = {}
    },
  )
  await clock.advance(0)
  for (let minute = 0; minute < longestMinutes && !settled; minute += 5) await clock.advance('5m')
  return settled?.value
}

/** What must be the same however often the process died. */
export const essence = (result: RunResult | undefined) =>
  result && {
    status: result.status,
    output: result.success ? result.output : result.error.message,
    degraded: result.degraded,
    attempts: result.attempts,
    restarts: result.restarts,
    stages: Object.keys(result.performance.stages),
  }

const stageEnds = ['stage.succeeded', 'stage.fell_back', 'stage.degraded']

/** What is wrong with the journal: empty where it is dense and no result is in it twice. */
export function faultsOf(rows: readonly JournalRow[]): string[] {
  const ended = rows.filter(row => stageEnds.includes(row.type)).map(row => row.stage)
  return [
    ...(rows.every((row, index) => row.seq === index + 1) ? [] : ['the numbers of the journal have a gap']),
    ...(new Set(ended).size === ended.length ? [] : ['a result is recorded twice']),
    ...(rows.filter(row => row.type === 'run.started').length === 1 ? [] : ['the run began twice']),
  ]
}

/** Executions beyond the first, of everything that is to happen once. */
export const extra = ({ done, answered }: World): number =>
  [...done.values(), ...answered.values()].reduce((sum, times) => sum + times - 1, 0)

/** How often the store admits that something may have happened twice. */
export async function admitted(store: Store): Promise<number> {
  let unknown = 0
  for (const { id } of (await store.list({ limit: 1000 })).items) {
    const rows = await store.readJournal(id, { limit: 1000 })
    unknown += rows.filter(row => row.type === 'step.unknown' || row.type === 'call.unknown').length
  }
  return unknown
}
