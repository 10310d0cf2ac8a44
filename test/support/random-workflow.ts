/**
 * Workflows by chance, as plain data: a graph of stages and maps, each with what its function does (steps, model calls,
 * sleeps, signals, child runs), how often and how it fails first, and what its options allow. `buildWorkflow` makes a
 * real workflow of one, which tells a witness what it really does; `predict` says how a run of it must end, from the
 * rules of the contract alone.
 */
import fc from 'fast-check'
import { z } from 'zod'
import { ValidationError } from '../../src/errors.ts'
import { defineProfile } from '../../src/resilience/define-profile.ts'
import { defineWorkflow, type WorkflowBuilder } from '../../src/workflow/define-workflow.ts'
import type { AnyWorkflow } from '../../src/workflow/definition.ts'
import type { StageContext } from '../../src/workflow/stage-context.ts'

type Act =
  | { readonly do: 'step'; readonly flaky: boolean }
  | { readonly do: 'call'; readonly keyed: boolean; readonly delayMs: number }
  | { readonly do: 'sleep'; readonly seconds: number }
  /** A signal comes at this minute of the run. */
  | { readonly do: 'signal'; readonly minute: number }
  /** A signal that never comes. */
  | { readonly do: 'lateSignal'; readonly seconds: number; readonly caught: boolean }
  | { readonly do: 'child' }
  /** Work that is nobody's but the function's own. */
  | { readonly do: 'own'; readonly turns: number }

const failureWays = ['plain', 'busy', 'limited', 'hang', 'undefined', 'denied', 'invalid'] as const
type FailureWay = (typeof failureWays)[number]

/** What one execution after the other comes to, before the function succeeds. */
type Failures = readonly FailureWay[]

export interface StageSpec {
  readonly name: string
  readonly needs: readonly string[]
  readonly acts: readonly Act[]
  /** Of a stage its failures; of a map those of each item. */
  readonly failures: Failures
  readonly items: readonly Failures[] | undefined
  readonly concurrency: number
  /** How many of its acts it does before it fails. */
  readonly failsAfter: number
  readonly when: 'absent' | 'yes' | 'no' | 'throws'
  readonly optional: boolean
  readonly fallback: 'none' | 'value' | 'throws'
  readonly restart: 'transient' | 'temporary'
}

export type WorkflowSpec = readonly StageSpec[]

/** Short ones that are slept in memory, and long ones that are not. */
const sleepSeconds = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 1200 }))

const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('step' as const), flaky: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('call' as const),
      keyed: fc.boolean(),
      delayMs: fc.constantFrom(0, 1500),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sleep' as const), seconds: sleepSeconds }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('signal' as const), minute: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('lateSignal' as const),
      seconds: fc.integer({ min: 1, max: 200 }),
      caught: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.constant(false)),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'child' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('own' as const), turns: fc.nat(30) }) },
)

const failures = (maxLength: number): fc.Arbitrary<Failures> =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(fc.constantFrom(...failureWays), { maxLength }) },
    {
      weight: 1,
      arbitrary: fc.array(fc.constantFrom('plain' as const, 'busy' as const), { maxLength: maxLength + 3 }),
    },
  )

const stageSpec = (place: number): fc.Arbitrary<StageSpec> =>
  fc.record({
    name: fc.constant(`s${place}`),
    needs: fc.subarray(Array.from({ length: place }, (_, need) => `s${need}`)),
    acts: fc.array(acts, { maxLength: 3 }),
    failures: failures(2),
    items: fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.array(failures(1), { maxLength: 4 }) },
    ),
    concurrency: fc.integer({ min: 1, max: 3 }),
    failsAfter: fc.nat(3),
    when: fc.oneof(
      { weight: 12, arbitrary: fc.constant('absent' as const) },
      fc.constant('yes' as const),
      fc.constant('no' as const),
      fc.constant('throws' as const),
    ),
    optional: fc.boolean(),
    fallback: fc.oneof(
      { weight: 4, arbitrary: fc.constant('none' as const) },
      { weight: 3, arbitrary: fc.constant('value' as const) },
      fc.constant('throws' as const),
    ),
    restart: fc.constantFrom('transient' as const, 'temporary' as const),
  })

const specsOf = (mostStages: number): fc.Arbitrary<WorkflowSpec> =>
  fc
    .integer({ min: 1, max: mostStages })
    .chain(size => fc.tuple(...Array.from({ length: size }, (_, place) => stageSpec(place))))

export const workflowSpecs = specsOf(5)
/** For what is tried at every write of a run. */
export const smallWorkflowSpecs = specsOf(2)

/** The profile of every run here: one retry of what is busy or hangs, two restarts however long they take. */
export const profile = defineProfile({
  extends: 'balanced',
  retry: { max: 1 },
  restart: { intensity: 2, period: '30d' },
})

const stageTimeout = '3m'

/** Told of what is really done, each time that it is done. */
export interface Witness {
  /** A function of the user is executed: a step. */
  step(stage: string, key: string): Promise<void> | void
  /** Whether this is the first time that it is asked about `what`. */
  isFirst(what: string): boolean
}

export const childWorkflow = (witness: Witness): AnyWorkflow =>
  defineWorkflow({ name: 'child', version: '1', input: z.object({ of: z.string() }) }).stage(
    'only',
    async ({ input, step, sleep, runId }) => {
      await step('only', () => witness.step(`${runId}/only`, 'step:only:1'))
      // Some children outlast the patience of who keeps waiting runs in memory.
      if (input.of.length % 2 === 0) await sleep('3m')
      return `child of ${input.of}`
    },
  )

/** When which signal is sent, in minutes of the run. */
export function signalsOf(spec: WorkflowSpec): { readonly name: string; readonly minute: number }[] {
  return spec.flatMap(stage =>
    stage.acts.flatMap((act, place) =>
      act.do !== 'signal' ? [] : fullNames(stage).map(full => ({ name: signalName(full, place), minute: act.minute })),
    ),
  )
}

const signalName = (full: string, place: number): string => `go-${full.replace(/[[\]]/g, '-')}-${place}`
const fullNames = ({ name, items }: StageSpec): string[] =>
  items ? items.map((_, index) => `${name}[${index}]`) : [name]

export function buildWorkflow(spec: WorkflowSpec, witness: Witness, child: AnyWorkflow): AnyWorkflow {
  const signals: Record<string, z.ZodType> = {}
  for (const stage of spec) {
    for (const place of stage.acts.keys())
      for (const full of fullNames(stage)) signals[signalName(full, place)] = z.unknown()
  }
  let workflow: WorkflowBuilder = defineWorkflow({ name: 'random', version: '1', signals }) as WorkflowBuilder
  for (const stage of spec) {
    const options = {
      needs: [...stage.needs],
      timeout: stageTimeout,
      restart: stage.restart,
      optional: stage.optional,
      ...(stage.when === 'absent' ? {} : { when: () => decide(stage) }),
      ...(stage.fallback === 'none' ? {} : { fallback: () => fallBack(stage) }),
    }
    const run = (plan: (context: StageContext) => Failures) => (context: StageContext) =>
      perform(context, stage, plan(context), witness, child)
    workflow = stage.items
      ? workflow.map(
          stage.name,
          { ...options, over: () => stage.items?.map((_, index) => index) ?? [], concurrency: stage.concurrency },
          run(({ index }) => stage.items?.[index ?? 0] ?? []) as never,
        )
      : workflow.stage(stage.name, options, run(() => stage.failures) as never)
  }
  return workflow.output(({ results }: { results: object }) => results)
}

function decide(stage: StageSpec): boolean {
  if (stage.when === 'throws') throw new Error(`when of ${stage.name}`)
  return stage.when === 'yes'
}

function fallBack(stage: StageSpec): string {
  if (stage.fallback === 'throws') throw new Error(`fallback of ${stage.name}`)
  return `instead of ${stage.name}`
}

async function perform(
  context: StageContext,
  spec: StageSpec,
  failures: Failures,
  witness: Witness,
  child: AnyWorkflow,
): Promise<unknown> {
  const failure = failures[context.attempt - 1]
  const done: unknown[] = []
  for (const [place, act] of spec.acts.entries()) {
    if (failure && place === spec.failsAfter) await fail(failure, context)
    done.push(await answerTo(act, place, context, witness, child))
  }
  if (failure) await fail(failure, context)
  return { done, saw: spec.needs.filter(need => context.results[need] !== undefined) }
}

async function answerTo(
  act: Act,
  place: number,
  context: StageContext,
  witness: Witness,
  child: AnyWorkflow,
): Promise<unknown> {
  const { stage, step, sleep, waitFor, model } = context
  switch (act.do) {
    case 'step': {
      const key = `step:x${place}:1`
      return step(`x${place}`, { retry: { max: 1, backoff: '1s' } }, async () => {
        await witness.step(stage, key)
        if (act.flaky && witness.isFirst(`${stage}/${key}`)) throw new Error('flaky')
        return `x${place}`
      })
    }
    case 'call': {
      const prompt = `${stage}/${place}/${act.delayMs}`
      return (await model.generate({ prompt, ...(act.keyed ? { key: `k${place}` } : {}) })).text
    }
    case 'sleep':
      await sleep(act.seconds * 1000)
      return 'slept'
    case 'signal':
      return waitFor(signalName(stage, place))
    case 'lateSignal': {
      const waiting = waitFor(signalName(stage, place), { timeout: act.seconds * 1000 })
      return act.caught ? waiting.catch((error: { code?: string }) => error.code) : waiting
    }
    case 'own':
      for (let turn = 0; turn < act.turns; turn++) await new Promise<void>(resolve => setImmediate(resolve))
      return 'own'
    case 'child': {
      const run = await context.startChild(child, { of: stage })
      const result = await run.result()
      return result.success ? result.output : result.status
    }
  }
}

async function fail(way: FailureWay, { stage, attempt }: StageContext): Promise<never> {
  const error = new Error(`${way} ${stage} ${attempt}`)
  if (way === 'busy') throw Object.assign(error, { status: 503 })
  if (way === 'limited') throw Object.assign(error, { status: 429 })
  if (way === 'denied') throw Object.assign(error, { status: 401 })
  if (way === 'invalid') throw new ValidationError(error.message)
  if (way === 'undefined') throw undefined
  if (way === 'hang') await new Promise(() => {})
  throw error
}

/** How a run of it must end, and after how many attempts of each stage and item that is not lost to a failed sister. */
export interface Prediction {
  readonly status: 'completed' | 'failed'
  /** Of a run that completes. */
  readonly output: unknown
  /** Stages and items that are degraded: fell back or were lost. */
  readonly degraded: readonly string[]
  /** The stages of which one fails the run. */
  readonly fatal: readonly string[]
  /** Of each stage and item that runs, if nothing fails the run. */
  readonly attempts: ReadonlyMap<string, number>
}

type Ending = 'succeeded' | 'fell_back' | 'degraded' | 'skipped' | 'fatal'

export function predict(spec: WorkflowSpec): Prediction {
  const results: Record<string, unknown> = {}
  const degraded: string[] = []
  const fatal: string[] = []
  const attempts = new Map<string, number>()
  const run = (stage: StageSpec, full: string, failures: Failures, saw: readonly string[]): unknown => {
    const { ending, tries } = endOf(stage, failures)
    if (tries > 0) attempts.set(full, tries)
    if (ending === 'fatal') fatal.push(stage.name)
    if (ending === 'fell_back' || ending === 'degraded') degraded.push(full)
    if (ending === 'fell_back') return `instead of ${stage.name}`
    return ending === 'succeeded'
      ? { done: stage.acts.map((act, place) => predicted(act, place, full)), saw }
      : undefined
  }
  for (const stage of spec) {
    const saw = stage.needs.filter(need => results[need] !== undefined)
    if (!stage.items) results[stage.name] = run(stage, stage.name, stage.failures, saw)
    else if (stage.when === 'throws') {
      if (stage.optional) {
        degraded.push(stage.name)
        // A map that was lost as a whole is a list of no items.
        results[stage.name] = []
      } else fatal.push(stage.name)
    } else if (stage.when !== 'no') {
      const itemSpec = { ...stage, when: 'absent' as const }
      results[stage.name] = stage.items.map((failures, index) =>
        run(itemSpec, `${stage.name}[${index}]`, failures, saw),
      )
    }
  }
  const output = fatal.length > 0 ? undefined : JSON.parse(JSON.stringify(results))
  return { status: fatal.length > 0 ? 'failed' : 'completed', output, degraded, fatal, attempts }
}

function predicted(act: Act, place: number, full: string): unknown {
  return {
    step: `x${place}`,
    call: `answer to ${full}/${place}/${'delayMs' in act ? act.delayMs : ''}`,
    sleep: 'slept',
    signal: { signal: signalName(full, place) },
    lateSignal: 'timed_out',
    child: `child of ${full}`,
    own: 'own',
  }[act.do]
}

/** The contract's "when a stage fails", told over the attempts. */
function endOf(stage: StageSpec, failures: Failures): { ending: Ending; tries: number } {
  if (stage.when === 'no') return { ending: 'skipped', tries: 0 }
  if (stage.when === 'throws') return { ending: lost(stage), tries: 0 }
  const isLateFor = (place: number): boolean => {
    const act = stage.acts[place]
    return act?.do === 'lateSignal' && !act.caught
  }
  let retries = 0
  let restarts = 0
  for (let attempt = 1; ; attempt++) {
    const planned = failures[attempt - 1]
    const reached = planned ? Math.min(stage.failsAfter, stage.acts.length) : stage.acts.length
    const isLate = stage.acts.some((_, place) => place < reached && isLateFor(place))
    const way = isLate ? 'late' : planned
    if (way === undefined) return { ending: 'succeeded', tries: attempt }
    // Of what is limited each wait is the same attempt, which fails again until it is a livelock.
    if (['busy', 'limited', 'hang'].includes(way) && retries < 1) retries++
    else if (!['denied', 'limited', 'invalid', 'late'].includes(way) && stage.restart === 'transient' && restarts < 2) {
      retries = 0
      restarts++
    } else return { ending: lost(stage), tries: attempt }
  }
}

function lost(stage: StageSpec): Ending {
  if (stage.fallback === 'value') return 'fell_back'
  return stage.optional ? 'degraded' : 'fatal'
}
