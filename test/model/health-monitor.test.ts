/**
 * The machine of a health monitor against a model: it tells how the last examinations went, and nothing that comes
 * unasked moves it.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { healthContextSchema, healthMonitorMachine } from '../../machines/health-monitor.machine.ts'
import { PureMachine } from '../support/pure-machine.ts'
import { propertyRuns, propertyTimeoutMs } from '../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

interface Finding {
  readonly healthy: boolean
  readonly message: string
  readonly latencyMs: number
  readonly at: number
}

/** What was found, oldest first; everything that the machine says follows from it. */
interface HealthModel {
  readonly found: Finding[]
  isExamining: boolean
  /** The last examination was stopped before it found anything. */
  wasStopped: boolean
}

const failuresInARow = (found: readonly Finding[]): number =>
  found.length - 1 - found.map(finding => finding.healthy).lastIndexOf(true)

function agree(model: HealthModel, monitor: PureMachine, failuresUntilFailed: number): void {
  const { found } = model
  const failures = failuresInARow(found)
  const last = found.at(-1)
  const settled =
    found.length === 0 || model.wasStopped
      ? 'unknown'
      : failures === 0
        ? 'healthy'
        : failures >= failuresUntilFailed
          ? 'failed'
          : 'degraded'
  expect(monitor.value).toBe(model.isExamining ? 'examining' : settled)
  expect(monitor.context).toEqual({
    name: 'disk',
    critical: true,
    failuresUntilFailed,
    failures,
    message: last?.message ?? 'not examined yet',
    latencyMs: last?.latencyMs ?? null,
    lastCheckAt: last?.at ?? null,
  })
  expect(monitor.isDone).toBe(false)
}

type HealthCommand = fc.Command<HealthModel, PureMachine>

const commandsFor = (failuresUntilFailed: number): fc.Arbitrary<HealthCommand>[] => {
  const command = (name: string, run: (model: HealthModel, monitor: PureMachine) => void): HealthCommand => ({
    check: () => true,
    toString: () => name,
    run(model, monitor) {
      run(model, monitor)
      agree(model, monitor, failuresUntilFailed)
    },
  })
  const examine = command('EXAMINE', (model, monitor) => {
    const joins = model.isExamining
    model.isExamining = true
    model.wasStopped = false
    monitor.send({ type: 'EXAMINE' })
    expect(monitor.requests.map(request => request.type)).toEqual(joins ? [] : ['examine'])
  })
  const found = (finding: Finding): HealthCommand =>
    command(`found ${finding.healthy ? 'healthy' : 'unhealthy'}`, (model, monitor) => {
      if (model.isExamining) model.found.push(finding)
      model.isExamining = false
      const { healthy, ...facts } = finding
      monitor.send({ type: healthy ? 'FOUND_HEALTHY' : 'FOUND_UNHEALTHY', ...facts } as { type: string })
      expect(monitor.requests).toEqual([])
    })
  const findings = fc.record({
    healthy: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
    message: fc.string({ maxLength: 5 }),
    latencyMs: fc.nat(100),
    at: fc.nat(1000),
  })
  return [
    fc.constant(examine),
    fc.constant(
      command('STOPPED', (model, monitor) => {
        if (model.isExamining) model.wasStopped = true
        model.isExamining = false
        monitor.send({ type: 'STOPPED' })
        expect(monitor.requests).toEqual([])
      }),
    ),
    fc.constant(command('CRASH+RESTORE', (_, monitor) => monitor.restore())),
    findings.map(found),
    findings.map(found),
  ]
}

describe('the machine of a health monitor', () => {
  it('says how the examinations went: failed after as many faults in a row as allowed, healthy after one success', () => {
    const cases = fc
      .integer({ min: 1, max: 4 })
      .chain(limit => fc.tuple(fc.constant(limit), fc.commands(commandsFor(limit), { maxCommands: 40 })))
    fc.assert(
      fc.property(cases, ([failuresUntilFailed, sequence]) => {
        const input = { name: 'disk', critical: true, failuresUntilFailed }
        fc.modelRun(
          () => ({
            model: { found: [], isExamining: false, wasStopped: false },
            real: new PureMachine(healthMonitorMachine, healthContextSchema, input),
          }),
          sequence,
        )
      }),
      { numRuns: propertyRuns * 3 },
    )
  })
})
