/**
 * The degradation machine against a model that is a map of components: the level is that of the worst, a component is
 * listed once, and what has recovered moves to a bounded history.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import {
  type DegradationEntry,
  type DegradationMachineEvent,
  degradationContextSchema,
  degradationMachine,
} from '../../machines/degradation.machine.ts'
import { PureMachine } from '../support/pure-machine.ts'
import { propertyRuns, propertyTimeoutMs } from '../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

interface DegradationModel {
  readonly current: Map<string, DegradationEntry>
  /** All that ever recovered, oldest first. */
  readonly recovered: (DegradationEntry & { until: number })[]
}

const levelOf = (entries: readonly DegradationEntry[]): string =>
  entries.some(entry => entry.level === 'offline') ? 'offline' : entries.length > 0 ? 'degraded' : 'healthy'

const byComponent = (entries: readonly DegradationEntry[]): DegradationEntry[] =>
  [...entries].sort((a, b) => (a.component < b.component ? -1 : 1))

function agree(model: DegradationModel, machine: PureMachine): void {
  const current = [...model.current.values()]
  const context = machine.context as unknown as { current: DegradationEntry[]; recovered: unknown[] }
  expect(machine.value).toBe(levelOf(current))
  expect(byComponent(context.current)).toEqual(byComponent(current))
  expect(context.recovered).toEqual(model.recovered.slice(-100))
}

type DegradationCommand = fc.Command<DegradationModel, PureMachine>

const components = fc.constantFrom('git', 'disk', 'model', 'run-1/review')

const degraded = (event: DegradationMachineEvent & { type: 'DEGRADED' }): DegradationCommand => ({
  check: () => true,
  toString: () => `${event.component} ${event.level}`,
  run(model, machine) {
    machine.send(event)
    const { component, reason, level, at } = event
    model.current.set(component, { component, reason, level, since: at })
    agree(model, machine)
  },
})

const recovered = (component: string, at: number): DegradationCommand => ({
  check: () => true,
  toString: () => `${component} recovered`,
  run(model, machine) {
    machine.send({ type: 'RECOVERED', component, at } as { type: string })
    const entry = model.current.get(component)
    if (entry) model.recovered.push({ ...entry, until: at })
    model.current.delete(component)
    agree(model, machine)
  },
})

const crash: DegradationCommand = {
  check: () => true,
  toString: () => 'CRASH+RESTORE',
  run(model, machine) {
    machine.restore()
    agree(model, machine)
  },
}

const commands = [
  fc
    .record({
      type: fc.constant('DEGRADED' as const),
      component: components,
      reason: fc.string({ maxLength: 4 }),
      level: fc.constantFrom('degraded' as const, 'offline' as const),
      at: fc.nat(1000),
    })
    .map(degraded),
  fc.tuple(components, fc.nat(1000)).map(([component, at]) => recovered(component, at)),
  fc.constant(crash),
]

const create = () => new PureMachine(degradationMachine, degradationContextSchema)
const becomes = (component: string, level: 'degraded' | 'offline') =>
  ({ type: 'DEGRADED', component, reason: 'r', level, at: 1 }) as const

describe('the degradation machine', () => {
  it('is as bad as the worst component, lists each once, and remembers what recovered', () => {
    fc.assert(
      fc.property(fc.commands(commands, { maxCommands: 60 }), sequence => {
        fc.modelRun(() => ({ model: { current: new Map(), recovered: [] }, real: create() }), sequence)
      }),
      { numRuns: propertyRuns * 3 },
    )
  })

  it('keeps the last hundred recoveries, and none is lost to the recovery of what was well', () => {
    const machine = create()
    machine.send(becomes('git', 'degraded'))
    for (let n = 1; n <= 150; n++) {
      machine.send(becomes('disk', 'degraded'))
      machine.send({ type: 'RECOVERED', component: 'disk', at: n } as { type: string })
    }
    machine.send({ type: 'RECOVERED', component: 'network', at: 151 } as { type: string })
    const { recovered: past } = machine.context as { recovered: { until: number }[] }
    expect(past.map(entry => entry.until)).toEqual(Array.from({ length: 100 }, (_, index) => index + 51))
  })

  it('still notes that a listed component got worse when its list is full', () => {
    const machine = create()
    for (let n = 0; n < 1100; n++) machine.send(becomes(`run-${n}/a`, 'degraded'))
    expect((machine.context as { current: unknown[] }).current).toHaveLength(1000)
    machine.send(becomes('run-3/a', 'offline'))
    expect(machine.value).toBe('offline')
    machine.send({ type: 'RECOVERED', component: 'run-3/a', at: 2 } as { type: string })
    expect(machine.value).toBe('degraded')
  })
})
