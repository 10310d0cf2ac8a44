import { expect, it } from 'vitest'
import { createCircuit } from '../../../src/resilience/create-circuit.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'

it('a circuit that has closed again is not opened by calls that began before it opened', async () => {
  const clock = virtualClock()
  const circuit = createCircuit('c', { clock })
  const late = Array.from({ length: 10 }, () => circuit.acquire())
  for (const permit of late.slice(0, 5)) permit?.failure()
  expect(circuit.state).toBe('open')
  await clock.advance('30s')
  for (let probe = 0; probe < 2; probe++) circuit.acquire()?.success()
  expect(circuit.state).toBe('closed')
  for (const permit of late.slice(5)) permit?.failure()
  expect([circuit.state, circuit.failureCount]).toEqual(['closed', 0])
})
