/**
 * How much of the system works: its monitors, the circuits of its providers, the incidents that they open, and what
 * works less well for it. A circuit that an earlier process left open goes on with its incident.
 */
import { builtInChecks } from '../../health/checks.ts'
import { createDegradation, type Degradation } from '../../health/degradation.ts'
import { createHealthMonitors, type HealthMonitors, type MonitorSpec } from '../../health/monitors.ts'
import type { Circuits } from '../../resilience/circuits.ts'
import type { Supervisor } from '../../supervisor/create-supervisor.ts'
import type { DegradationReport, DegradedPart } from '../api.ts'
import { fileShelf, noShelf } from '../calls/circuit-shelf.ts'
import { createSupervisedCircuits } from '../calls/circuits.ts'
import { createIncidents, type Incidents } from '../calls/incidents.ts'
import type { LiveRun } from '../run/live.ts'
import type { PreflightReport } from '../run/run-facts.ts'
import type { ResolvedOptions } from '../runtime-options.ts'

/** Finds one of the supervisors of the tree; asked only after the tree is made. */
export type FindSupervisor = (id: 'monitors' | 'providers') => Supervisor

export interface SystemHealth {
  /** What the supervisor of the monitors starts. */
  readonly monitors: readonly MonitorSpec[]
  readonly circuits: Circuits
  readonly incidents: Incidents
  level(): string
  report(): DegradationReport
  /** Examines the ground by the health monitors. */
  preflight(cwd: string, signal: AbortSignal): Promise<PreflightReport>
  /** Something of a run works less well. */
  degraded(part: DegradedPart, run: LiveRun): void
  /** The run has ended: what worked less well in it is over, unless a monitor keeps watch on it. */
  ended(run: LiveRun): void
}

type HealthOptions = Pick<ResolvedOptions, 'clock' | 'log' | 'minimal' | 'checks' | 'besideStore'>

export function createSystemHealth(options: HealthOptions, supervisor: FindSupervisor): SystemHealth {
  const { clock, minimal, checks } = options
  const monitors = createHealthMonitors(minimal ? [] : [...builtInChecks, ...checks], clock)
  const monitored = new Set(monitors.specs.map(({ id }) => id))
  const degradation = createDegradation(() => supervisor('monitors'), clock)
  const { circuits, incidents } = watchedCircuits(options, degradation, supervisor)

  return {
    monitors: monitors.specs,
    circuits,
    incidents,
    level: () => degradation.level(),
    report: () => ({
      level: degradation.level(),
      components: degradation.components(),
      incidents: incidents.list(),
    }),
    preflight: (cwd, signal) => preflight(monitors, degradation, supervisor, cwd, signal),
    degraded: (part, run) => degradation.report(componentOf(part, run), part.reason),
    ended(run) {
      for (const part of run.memory.degraded) {
        if (!monitored.has(part.component ?? '')) degradation.recovered(componentOf(part, run))
      }
    },
  }
}

const componentOf = ({ component, stage }: Pick<DegradedPart, 'component' | 'stage'>, run: LiveRun): string =>
  component ?? `${run.id}/${stage ?? ''}`

/** The circuits, with an incident and a word in the log for each that opens. */
function watchedCircuits(
  { clock, log, besideStore }: HealthOptions,
  degradation: Degradation,
  supervisor: FindSupervisor,
): { circuits: Circuits; incidents: Incidents } {
  const incidents = createIncidents(({ type, incident: { circuit } }) => {
    if (type === 'incident.closed') return degradation.recovered(circuit)
    degradation.report(circuit, `circuit '${circuit}' is open: what it stands for is left alone for a while`)
    log.warn({ circuit }, `circuit '${circuit}' has opened`)
  })
  const shelf = besideStore === undefined ? noShelf : fileShelf(`${besideStore}.circuits.json`)
  for (const { name, state, context } of shelf.read().values()) {
    if (state === 'open' || state === 'half-open') incidents.resume(name, context.since)
  }
  const circuits = createSupervisedCircuits({
    supervisor: () => supervisor('providers'),
    clock,
    shelf,
    onEvent: incidents.follow,
  })
  return { circuits, incidents }
}

async function preflight(
  monitors: HealthMonitors,
  degradation: Degradation,
  supervisor: FindSupervisor,
  cwd: string,
  signal: AbortSignal,
): Promise<PreflightReport> {
  const found = await monitors.preflight(cwd, signal, id => supervisor('monitors').child(id))
  for (const { name, healthy } of found) if (healthy) degradation.recovered(name)
  return { healthy: found.every(monitor => monitor.healthy || !monitor.critical), monitors: found }
}
