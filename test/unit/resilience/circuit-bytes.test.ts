import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { type Circuit, createCircuit } from '../../../src/resilience/circuit.ts'

test('a circuit takes less than 5 kB, its window and its 100 transitions included', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const count = 100
  const aged = (name: string): Circuit => {
    const circuit = createCircuit(name, { window: { calls: 1000 } })
    for (let i = 0; i < 51; i++) {
      circuit.isolate()
      circuit.reset()
    }
    for (let i = 0; i < 1000; i++) circuit.acquire()?.success()
    return circuit
  }
  const kept: (Circuit | undefined)[] = new Array(count).fill(undefined)
  kept[0] = aged('warm')
  expect(kept[0].metrics().transitions).toHaveLength(100)
  collect()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < count; i++) kept[i] = aged(`c${i}`)
  collect()
  expect((process.memoryUsage().heapUsed - before) / count).toBeLessThan(5000)
  expect(kept).toHaveLength(count)
})
