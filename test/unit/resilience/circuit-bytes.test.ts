import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import type { Circuit } from '../../../src/resilience/circuit.ts'
import { createCircuit } from '../../../src/resilience/create-circuit.ts'

/** With a full window and a full history. */
function agedCircuit(name: string): Circuit {
  const circuit = createCircuit(name, { window: { calls: 1000 } })
  for (let i = 0; i < 51; i++) {
    circuit.isolate()
    circuit.reset()
  }
  for (let i = 0; i < 1000; i++) circuit.acquire()?.success()
  return circuit
}

test('a circuit takes less than 5 kB, its window and its 100 transitions included', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const count = 30
  // The least of some measurements: the test runner uses the heap too, most of all at first.
  const bytes = [0, 1, 2].map(() => {
    const kept: Circuit[] = []
    collect()
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < count; i++) kept.push(agedCircuit(`circuit ${i}`))
    collect()
    const grown = process.memoryUsage().heapUsed - before
    expect(kept.at(-1)?.metrics()).toMatchObject({ calls: 1000, transitions: { length: 100 } })
    return grown / count
  })
  expect(Math.min(...bytes)).toBeLessThan(5000)
  // A measurement that collected the circuits themselves would show next to nothing.
  expect(Math.min(...bytes)).toBeGreaterThan(1000)
}, 60_000)
