/**
 * What a call that succeeds costs on its way through circuit, retry and time limit, with the caller's signal linked and
 * events on, against the same chain of cockatiel and against opossum (breaker and time limit only): of a function that
 * answers at once, and of one that answers a turn of the event loop later, less what that turn costs by itself. Beside
 * them a whole model call, answered in both ways: routing, keys, circuits of provider, model and key, retry, one deadline,
 * a budget that is reserved and settled, the price, and every event as the journal gets it. All of them run in turn in one process, and the ratios
 * are medians over the passes, so they hold when the machine's speed drifts.
 *
 *     npm run bench:resilience
 */
import { createRequire } from 'node:module'
import {
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleAll,
  retry,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import { createActor } from 'xstate'
import { circuitMachine } from '../machines/circuit.machine.ts'
import type { ModelAnswer, Provider } from '../src/providers/provider.ts'
import { createRegistry } from '../src/providers/registry.ts'
import { BudgetAccount, reserve } from '../src/resilience/budget.ts'
import type { Admission } from '../src/resilience/call-admission.ts'
import { createKeyRests } from '../src/resilience/call-gate.ts'
import { createCircuits } from '../src/resilience/circuits.ts'
import { callModel } from '../src/resilience/model-call.ts'
import type { ModelCallOptions } from '../src/resilience/model-call-terms.ts'
import { builtInProfiles } from '../src/resilience/profiles.ts'
import { createCircuit, createResilience } from '../src/resilience.ts'
import { systemClock } from '../src/time/clock.ts'
import { systemRandom } from '../src/time/random.ts'

interface Opossum {
  fire(): Promise<unknown>
  shutdown(): void
}

const OpossumBreaker = createRequire(import.meta.url)('opossum') as new (
  fn: () => Promise<unknown>,
  options: object,
) => Opossum

const passes = Number(process.argv[2] ?? 9)
const calls = 20_000
const work = async (): Promise<number> => 1
const later = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const { signal } = new AbortController()

let events = 0
const resilience = createResilience({
  circuit: createCircuit('bench', { onEvent: () => events++ }),
  onEvent: () => events++,
})
const ownBreaker = createCircuit('bench alone')
const breaker = circuitBreaker(handleAll, { halfOpenAfter: 30_000, breaker: new ConsecutiveBreaker(5) })
const policy = wrap(
  retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff() }),
  breaker,
  timeout(60_000, TimeoutStrategy.Aggressive),
)
policy.onSuccess(() => events++)
const opossum = new OpossumBreaker(work, { timeout: 60_000, resetTimeout: 30_000 })
const opossumLater = new OpossumBreaker(later, { timeout: 60_000, resetTimeout: 30_000 })
const opossumAlone = new OpossumBreaker(work, { timeout: false, resetTimeout: 30_000 })

const linked = { signal }

const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 2 }
const answer = (): ModelAnswer => ({ text: 'yes', usage: { inputTokens: 3, outputTokens: 1 } })
const providerOf = (generate: Provider['generate']): Provider => ({
  id: 'p',
  models: [{ id: 'm', tier: 'capable', price, contextWindow: 100_000, maxOutputTokens: 1000 }],
  generate,
})
const spent = { usd: 0, tokens: 0, calls: 0 }
const account = new BudgetAccount(() => spent)
const request = { task: 'bug_predict', messages: [{ role: 'user', content: 'a?' }], maxOutputTokens: 10 } as const
const rests = createKeyRests()
const circuits = createCircuits({ clock: systemClock, onEvent: () => events++ })
async function admit(_planned: unknown, caller: { readonly signal: AbortSignal }): Promise<Admission> {
  const ask = { usd: 0.001, tokens: 20, calls: 1, isWorstCase: true }
  const reservation = await reserve([{ what: 'bench', limits: { usd: 1000 }, account }], ask, caller)
  return { settle: () => reservation.settle(), late: () => undefined }
}

/** A whole model call of a provider that answers so. */
function modelCallOf(generate: Provider['generate']): () => Promise<void> {
  const providers = [providerOf(generate)]
  const options: ModelCallOptions = {
    providers,
    profile: builtInProfiles.balanced,
    catalogue: createRegistry({ providers, now: () => systemClock.now() }),
    circuits,
    rests,
    clock: systemClock,
    random: systemRandom,
    signal,
    idempotencyKey: 'bench',
    onEvent: () => events++,
    admit,
  }
  return async () => {
    const { cost, admission } = await callModel(request, options)
    spent.usd += Number(cost)
    admission?.settle()
  }
}

const subjects: Readonly<Record<string, () => Promise<unknown>>> = {
  'the function alone': work,
  'holdfast: circuit + retry + time limit + signal': () => resilience.execute(work, linked),
  'cockatiel: breaker + retry + time limit + signal': () => policy.execute(work, signal),
  'opossum: breaker + time limit': () => opossum.fire(),
  'the function alone, a turn later': later,
  'holdfast: the chain, a turn later': () => resilience.execute(later, linked),
  'cockatiel: the chain, a turn later': () => policy.execute(later, signal),
  'opossum: breaker + time limit, a turn later': () => opossumLater.fire(),
  'holdfast: a whole model call': modelCallOf(async () => answer()),
  'holdfast: a whole model call, a turn later': modelCallOf(() => later().then(answer)),
  'holdfast: circuit alone': () => ownBreaker.execute(work),
  'cockatiel: breaker alone': () => breaker.execute(work),
  'opossum: breaker alone': () => opossumAlone.fire(),
}

/** CPU time, since others may use the machine too; µs a call. */
async function microsOf(call: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  for (let i = 0; i < calls; i++) await call()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / calls
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number

/** Heap bytes of one of them, with its full history of 100 changes where `age` makes one. */
function bytesOf<T>(make: (index: number) => T, age: (made: T) => void = () => undefined): number {
  const collect = globalThis.gc
  if (collect === undefined) throw new Error('run it with --expose-gc')
  const count = 300
  const measured = [0, 1, 2].map(() => {
    const kept: (T | undefined)[] = new Array(count).fill(undefined)
    collect()
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < count; i++) {
      const made = make(i)
      age(made)
      kept[i] = made
    }
    collect()
    const bytes = (process.memoryUsage().heapUsed - before) / count
    return kept.length === count ? bytes : 0
  })
  return median(measured)
}

const figures = new Map<string, number[]>(Object.keys(subjects).map(name => [name, []]))
for (const call of Object.values(subjects)) await microsOf(call)
for (let pass = 0; pass < passes; pass++) {
  for (const [name, call] of Object.entries(subjects)) figures.get(name)?.push(await microsOf(call))
}
for (const [name, micros] of figures) console.log(`${name.padEnd(50)} ${median(micros).toFixed(2).padStart(6)} µs CPU`)

const ratio = (a: string, b: string): string =>
  median((figures.get(a) ?? []).map((micros, pass) => micros / (figures.get(b)?.[pass] ?? Number.NaN))).toFixed(2)
const ours = 'holdfast: circuit + retry + time limit + signal'
const theirs = 'cockatiel: breaker + retry + time limit + signal'
console.log(`ratio to cockatiel's chain: ${ratio(ours, theirs)}`)
console.log(`ratio to opossum with its time limit: ${ratio(ours, 'opossum: breaker + time limit')}`)
console.log(`ratio of a whole model call to cockatiel's chain: ${ratio('holdfast: a whole model call', theirs)}`)

/** µs that a chain adds to a function that answers a turn later. */
const added = (name: string): number =>
  median((figures.get(name) ?? []).map((micros, pass) => micros - (figures.get(turn)?.[pass] ?? Number.NaN)))
const turn = 'the function alone, a turn later'
for (const name of figures.keys()) {
  if (name.endsWith('a turn later') && name !== turn) console.log(`added by ${name}: ${added(name).toFixed(2)} µs CPU`)
}

const laterParts = (figures.get('cockatiel: the chain, a turn later') ?? []).map((micros, pass) => {
  const alone = figures.get(turn)?.[pass] ?? Number.NaN
  const whole = figures.get('holdfast: a whole model call, a turn later')?.[pass] ?? Number.NaN
  return (whole - alone) / (micros - alone)
})
console.log(`ratio of what a whole model call adds to what cockatiel's chain adds: ${median(laterParts).toFixed(2)}`)

const fresh = bytesOf(index => createCircuit(`c${index}`))
const aged = bytesOf(
  index => createCircuit(`c${index}`),
  circuit => {
    for (let i = 0; i < 60; i++) {
      circuit.isolate()
      circuit.reset()
    }
    if (circuit.metrics().transitions.length !== 100) throw new Error('its history is not full')
  },
)
const windowed = bytesOf(
  index => createCircuit(`c${index}`, { window: { calls: 1000 } }),
  circuit => {
    for (let i = 0; i < 1000; i++) circuit.acquire()?.success()
  },
)
const settings = createCircuit('settings').settings
const ofActor = bytesOf(() => createActor(circuitMachine, { input: { settings, at: 0 } }).start())
const ofCockatiel = bytesOf(() =>
  circuitBreaker(handleAll, { halfOpenAfter: 30_000, breaker: new ConsecutiveBreaker(5) }),
)
const opossums: Opossum[] = []
const ofOpossum = bytesOf(() => {
  const made = new OpossumBreaker(work, { timeout: 60_000 })
  opossums.push(made)
  return made
})
for (const [name, bytes] of Object.entries({
  'a circuit': fresh,
  'a circuit with its 100 transitions': aged,
  'a circuit with a window of 1000 calls': windowed,
  'its machine as an XState root actor': ofActor,
  'a breaker of cockatiel': ofCockatiel,
  'a breaker of opossum': ofOpossum,
})) {
  console.log(`${name.padEnd(50)} ${bytes.toFixed(0).padStart(6)} bytes`)
}
console.log(`events heard: ${events}`)
for (const made of [opossum, opossumAlone, opossumLater, ...opossums]) made.shutdown()
