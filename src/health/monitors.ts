/**
 * The health monitors as actors: one for each check. A monitor's machine says when an examination is due and how the
 * thing stands; the examination is made here. A preflight asks all of them at once and reports what they found;
 * preflights of one directory share an examination, and when the last of them is aborted, it is stopped.
 */
import type { AnyActorLogic, AnyActorRef } from 'xstate'
import { healthMonitorMachine } from '../../machines/health-monitor.machine.ts'
import type { Clock } from '../time/clock.ts'
import type { HealthCheck, HealthFinding } from './check.ts'

/** How one monitor stands after an examination. */
export interface MonitorFinding {
  readonly name: string
  readonly critical: boolean
  readonly healthy: boolean
  readonly message: string
}

export interface MonitorSpec {
  readonly id: string
  readonly logic: AnyActorLogic
  readonly input: unknown
}

export interface HealthMonitors {
  /** What the supervisor of the monitors starts. */
  readonly specs: readonly MonitorSpec[]
  /** Examines everything; `refOf` finds the living monitor by its id. */
  preflight(
    cwd: string,
    signal: AbortSignal,
    refOf: (id: string) => MonitorRef | undefined,
  ): Promise<readonly MonitorFinding[]>
}

type MonitorRef = Pick<AnyActorRef, 'send'>

interface Examination {
  readonly cwd: string
  readonly found: Promise<HealthFinding>
  /** Ends the examination: its time is up, or nobody waits for it. */
  readonly end: AbortController
  /** Preflights that wait for what it finds. */
  waiting: number
}

const usualTimeoutMs = 5000

export function createHealthMonitors(checks: readonly HealthCheck[], clock: Clock): HealthMonitors {
  const byName = new Map(checks.map(check => [check.name, check]))
  const underWay = new Map<string, Examination>()

  /** Begins the examination that the monitor is to have, which is told what was found. */
  const examine = (monitor: MonitorRef, name: string, cwd: string): Examination => {
    const began = clock.now()
    const end = new AbortController()
    const found = findingOf(byName.get(name) as HealthCheck, cwd, end, clock).then(finding => {
      if (underWay.get(name) !== examination) return finding
      underWay.delete(name)
      const { healthy, message } = finding
      const at = clock.now()
      monitor.send({ type: healthy ? 'FOUND_HEALTHY' : 'FOUND_UNHEALTHY', message, latencyMs: at - began, at })
      return finding
    })
    const examination: Examination = { cwd, found, end, waiting: 0 }
    underWay.set(name, examination)
    return examination
  }

  /** What an examination finds; one that nobody waits for any more is stopped, and its monitor told so. */
  const findingFor = async (
    name: string,
    monitor: MonitorRef,
    examination: Examination,
    signal: AbortSignal,
  ): Promise<HealthFinding> => {
    examination.waiting++
    try {
      return await unlessAborted(examination.found, signal)
    } finally {
      examination.waiting--
      if (examination.waiting === 0 && underWay.get(name) === examination) {
        underWay.delete(name)
        examination.end.abort()
        monitor.send({ type: 'STOPPED' })
      }
    }
  }

  const directories = new Map<string, string>()
  const logic = healthMonitorMachine.provide({
    actions: {
      examine: ({ self, context }) => void examine(self, context.name, directories.get(context.name) ?? process.cwd()),
    },
  })

  return {
    specs: checks.map(check => ({
      id: check.name,
      logic,
      input: { name: check.name, critical: check.critical === true, failuresUntilFailed: check.critical ? 1 : 3 },
    })),
    async preflight(cwd, signal, refOf) {
      const findings = await Promise.all(
        checks.map(async ({ name, critical = false }): Promise<MonitorFinding> => {
          // One examination at a time: another directory waits for the one under way.
          for (let other = underWay.get(name); other && other.cwd !== cwd; other = underWay.get(name)) {
            await unlessAborted(other.found, signal)
          }
          signal.throwIfAborted()
          directories.set(name, cwd)
          const monitor = refOf(name)
          if (!monitor) return { name, critical, healthy: false, message: 'its monitor is not running' }
          monitor.send({ type: 'EXAMINE' })
          // A monitor that was started again knows of no examination: it is given this one.
          const examination = underWay.get(name) ?? examine(monitor, name, cwd)
          const { healthy, message } = await findingFor(name, monitor, examination, signal)
          return { name, critical, healthy, message }
        }),
      )
      signal.throwIfAborted()
      return findings
    },
  }
}

/** What a check finds, within its time or until `end` aborts; what it throws is a fault. */
async function findingOf(check: HealthCheck, cwd: string, end: AbortController, clock: Clock): Promise<HealthFinding> {
  const { signal } = end
  const timeoutMs = check.timeoutMs ?? usualTimeoutMs
  const timer = clock.setTimeout(() => end.abort(), timeoutMs)
  const silent = new Promise<HealthFinding>(resolve => {
    const message = `the check did not answer within ${timeoutMs} ms`
    signal.addEventListener('abort', () => resolve({ healthy: false, message }), { once: true })
  })
  try {
    return await Promise.race([silent, (async () => check.check({ cwd, signal }))()])
  } catch (error) {
    return { healthy: false, message: error instanceof Error ? error.message : String(error) }
  } finally {
    clock.clearTimeout(timer)
  }
}

/** What the work gives; rejects as soon as the signal aborts, and leaves no listener on it. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
