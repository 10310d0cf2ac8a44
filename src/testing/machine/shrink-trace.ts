/**
 * Makes a failing trace as short and as plain as it can be while it still fails in the same way: steps are left out, in
 * ever smaller pieces, then the data of the events that are left is made simpler.
 */
import type { Arbitrary } from 'fast-check'
import { eventWith, type TraceStep } from './trace.ts'

/** Executions that the making may cost, so that a dear machine does not keep one waiting. */
const mostTries = 2000

/** The trace, or one that differs only in how much time passes, where it fails in the same way. */
export type Fails = (trace: readonly TraceStep[]) => readonly TraceStep[] | undefined

export function shrinkTrace(
  trace: readonly TraceStep[],
  fails: Fails,
  dataOf: (type: string) => Arbitrary<object> | undefined,
): readonly TraceStep[] {
  let tries = 0
  const stillFails: Fails = candidate => (++tries <= mostTries ? fails(candidate) : undefined)
  const shortest = withoutNeedless(trace, stillFails)
  return withPlainData(shortest, stillFails, dataOf)
}

function withoutNeedless(trace: readonly TraceStep[], fails: Fails): readonly TraceStep[] {
  let kept = trace
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < kept.length; ) {
      const candidate = [...kept.slice(0, at), ...kept.slice(at + size)]
      const failing = fails(candidate)
      if (failing) kept = failing
      else at += size
    }
  }
  // What one removal made possible may lie before it.
  return kept.length < trace.length && kept.length > 1 ? withoutNeedless(kept, fails) : kept
}

function withPlainData(
  trace: readonly TraceStep[],
  fails: Fails,
  dataOf: (type: string) => Arbitrary<object> | undefined,
): readonly TraceStep[] {
  let plain = trace
  for (const at of trace.keys()) {
    for (let next = simpler(plain, at, fails, dataOf); next; next = simpler(plain, at, fails, dataOf)) plain = next
  }
  return plain
}

/** The trace with the data of one event made simpler by one step, where it still fails. */
function simpler(
  trace: readonly TraceStep[],
  at: number,
  fails: Fails,
  dataOf: (type: string) => Arbitrary<object> | undefined,
): readonly TraceStep[] | undefined {
  const { type, ...data } = trace[at] as TraceStep
  const arbitrary = dataOf(type)
  if (!arbitrary?.canShrinkWithoutContext(data)) return undefined
  for (const candidate of arbitrary.shrink(data, undefined)) {
    const changed = [...trace.slice(0, at), eventWith(type, candidate.value), ...trace.slice(at + 1)]
    const failing = fails(changed)
    if (failing) return failing
  }
  return undefined
}
