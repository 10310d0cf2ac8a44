/** Defects of calls: what is retried, what opens a circuit, and what is paid. */
import { change, type Mutant, mutant } from './mutant.ts'

const circuit = 'machines/circuit.machine.ts'
const retryPolicy = 'src/resilience/retry-policy.ts'
const recordedCall = 'src/runtime/calls/recorded-call.ts'
const circuitTests = ['test/property/resilience/circuit.property.test.ts', 'test/unit/resilience/circuit.test.ts']

export const resilienceMutants: readonly Mutant[] = [
  mutant('a failed answer is not paid for', change(recordedCall, '      if (paid) this.#entry.book(paid, true)\n', '')),
  mutant(
    'an answer of the wrong form that is mended is not paid for',
    change(
      recordedCall,
      '      this.#entry.book(outcome, true)\n      this.#entry.intend()',
      '      this.#entry.intend()',
    ),
  ),
  mutant(
    'the cost of earlier answers to a call is forgotten',
    change(
      'src/runtime/calls/call-entry.ts',
      '    this.#spend = known ? ((JSON.parse(known.data) as { spend?: CallSpend }).spend ?? noSpend) : noSpend',
      '    this.#spend = known ? { ...noSpend } : noSpend',
    ),
  ),
  mutant(
    'calls are not counted',
    change('src/runtime/calls/model-asking.ts', '      run.memory.counters.calls++\n', ''),
  ),
  mutant(
    'the budget is not reserved before a call',
    change('src/resilience/budget.ts', '  for (const { account } of levels) account.take(ask)\n', ''),
  ),
  mutant(
    'a budget of calls allows one more',
    change('src/resilience/budget.ts', 'taken + ask[currency] > limit', 'taken > limit'),
  ),
  mutant(
    'a retry of a call does not wait as long as it was asked to',
    change(
      retryPolicy,
      'const hinted = (failure.retryAfterMs ?? 0) > 0',
      'const hinted = (failure.retryAfterMs ?? 0) < 0',
    ),
  ),
  mutant(
    'a retry is made beyond the deadline',
    change(
      retryPolicy,
      'if (remainingMs !== undefined && delayMs >= remainingMs)',
      'if (remainingMs !== undefined && remainingMs < 0)',
    ),
    ['test/property/resilience/retry-policy.property.test.ts', 'test/unit/resilience/retry.test.ts'],
  ),
  mutant(
    'one retry of a call more than the profile says is made',
    change(retryPolicy, 'if (failures > policy.max)', 'if (failures > policy.max + 1)'),
    ['test/property/resilience/retry-policy.property.test.ts', 'test/unit/resilience/retry.test.ts'],
  ),
  mutant(
    'what the service calls permanent is retried',
    change(
      retryPolicy,
      "  if (!failure.transient && kindTable[failure.kind].transient) return refuse('permanent')\n",
      '',
    ),
    ['test/unit/resilience/retry-policy.test.ts'],
  ),
  mutant(
    'a half-open circuit does not get back the place of a probe that was given up',
    change(circuit, "        PROBE_RELEASED: { guard: 'isProbeUnderWay', actions: 'releaseProbe' },\n", ''),
    circuitTests,
  ),
  mutant(
    'a half-open circuit lets one probe more through',
    [
      change(
        circuit,
        'context.probes.length < context.settings.maxProbes',
        'context.probes.length <= context.settings.maxProbes',
      ),
      change(
        'src/resilience/circuit-breaker.ts',
        "if (this.#state === 'half-open' && this.#context.probes.length < this.settings.maxProbes) {",
        "if (this.#state === 'half-open' && this.#context.probes.length <= this.settings.maxProbes) {",
      ),
    ],
    circuitTests,
  ),
  mutant(
    'a call from before the last change of state moves a circuit',
    [
      change(
        circuit,
        "'period' in event && event.period === context.period,",
        "'period' in event && event.period >= 0,",
      ),
      change(
        'src/resilience/circuit-breaker.ts',
        "const counts = period === this.#context.period && this.#state === 'closed'",
        "const counts = period >= 0 && this.#state === 'closed'",
      ),
    ],
    ['test/unit/resilience/circuit-late-calls.test.ts'],
  ),
  mutant(
    'a circuit opens one failure late',
    change(
      'src/resilience/circuit-window.ts',
      'window.consecutive >= rules.failureThreshold',
      'window.consecutive > rules.failureThreshold',
    ),
    circuitTests,
  ),
  mutant(
    'a fault of the request itself opens a circuit',
    change(
      'src/resilience/blame.ts',
      "return scope !== 'request' && kind !== 'cancelled' &&",
      "return scope !== 'local' && kind !== 'cancelled' &&",
    ),
    ['test/unit/resilience/circuit-habits.test.ts', 'test/unit/resilience/create-resilience.test.ts', ...circuitTests],
  ),
  mutant(
    'a rate limit of one key opens the circuit of the provider',
    change(
      'src/resilience/call-gate.ts',
      "if (kind === 'cancelled' || kind === 'rate_limit') return undefined",
      "if (kind === 'rate_limit') return provider.id\n  if (kind === 'cancelled') return undefined",
    ),
    ['test/unit/resilience/router.test.ts', 'test/unit/resilience/model-call.test.ts'],
  ),
]
