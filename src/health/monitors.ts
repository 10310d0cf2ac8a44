/**
 * The health monitors as actors: one for each check. A monitor's machine says when an examination is due and how the
 * thing stands; the examination is made here. A preflight asks all of them at once and reports what they found.
 */
import type { AnyActorLogic, AnyActorRef } from 'xstate'
import { type HealthMachineContext, healthMonitorMachine } from '../../machines/health-monitor.machine.ts'
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
    refOf: (id: string) => Pick<AnyActorRef, 'send' | 'getSnapshot'> | undefined,
  ): Promise<readonly MonitorFinding[]>
}

const usualTimeoutMs = 5000

export function createHealthMonitors(checks: readonly HealthCheck[], clock: Clock): HealthMonitors {
  const byName = new Map(checks.map(check => [check.name, check]))
  const underWay = new Map<string, { cwd: string; done: Promise<void> }>()

  /** Makes the examination that the monitor asked for, and tells it what was found. */
  const examine = (self: AnyActorRef, name: string, cwd: string): Promise<void> => {
    const began = clock.now()
    const done = findingOf(byName.get(name) as HealthCheck, cwd, clock).then(({ healthy, message }) => {
      underWay.delete(name)
      const at = clock.now()
      self.send({ type: healthy ? 'FOUND_HEALTHY' : 'FOUND_UNHEALTHY', message, latencyMs: at - began, at })
    })
    underWay.set(name, { cwd, done })
    return done
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
        checks.map(async (check): Promise<MonitorFinding> => {
          const critical = check.critical === true
          // One examination at a time: another directory waits for the one under way.
          while (underWay.has(check.name) && underWay.get(check.name)?.cwd !== cwd) await underWay.get(check.name)?.done
          directories.set(check.name, cwd)
          const ref = refOf(check.name)
          if (!ref) return { name: check.name, critical, healthy: false, message: 'its monitor is not running' }
          ref.send({ type: 'EXAMINE' })
          await underWay.get(check.name)?.done
          const snapshot = ref.getSnapshot() as { value: string; context: HealthMachineContext }
          return {
            name: check.name,
            critical,
            healthy: snapshot.value === 'healthy',
            message: snapshot.context.message,
          }
        }),
      )
      signal.throwIfAborted()
      return findings
    },
  }
}

/** What a check finds, within its time; what it throws is a fault. */
async function findingOf(check: HealthCheck, cwd: string, clock: Clock): Promise<HealthFinding> {
  const own = new AbortController()
  let timer: unknown
  try {
    const late = new Promise<HealthFinding>(resolve => {
      timer = clock.setTimeout(() => {
        own.abort()
        resolve({ healthy: false, message: `the check did not answer within ${check.timeoutMs ?? usualTimeoutMs} ms` })
      }, check.timeoutMs ?? usualTimeoutMs)
    })
    return await Promise.race([late, (async () => check.check({ cwd, signal: own.signal }))()])
  } catch (error) {
    return { healthy: false, message: error instanceof Error ? error.message : String(error) }
  } finally {
    clock.clearTimeout(timer)
  }
}
