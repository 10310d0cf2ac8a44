import { expect, it } from 'vitest'
import { createCallGate } from '../../../src/resilience/call-gate.ts'
import { resolveCircuit } from '../../../src/resilience/circuit-options.ts'
import { createCircuits } from '../../../src/resilience/circuits.ts'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'

it('the one probe of a circuit is given back where an attempt ends before it goes out, and the next attempt has it', async () => {
  const clock = virtualClock()
  const settings = resolveCircuit({ preset: 'strict', failureThreshold: 1, openTime: '1s' })
  const circuits = createCircuits({ clock })
  const provider = scriptedProvider([], { id: 'p' })
  circuits.of('p', settings).acquire()?.failure()
  await clock.advance('1s')
  const gate = createCallGate(circuits, { provider, model: undefined, keyIndex: 0 }, settings)

  // Its time is up while it still waits for its budget: nobody was asked, so nobody is blamed.
  gate.circuit.acquire()?.failure()
  const second = gate.circuit.acquire()
  expect(second).toBeDefined()
  second?.success()
  gate.end()

  expect(circuits.find('p')?.metrics()).toMatchObject({ state: 'half-open', calls: 3, successes: 1, failures: 1 })
  expect(circuits.find('p')?.isAvailable()).toBe(true)
})
