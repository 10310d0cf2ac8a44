/**
 * One outage is one incident, however many stages and runs it meets: it opens when a circuit leaves closed and closes
 * when the circuit is closed again, with every probe that fails in between. Who was met by it is counted. The last ones
 * that have closed are kept for reports.
 */
import type { CircuitReport } from '../../resilience/circuit.ts'

export interface Incident {
  /** `openai@1700000000000`: the circuit, and when it opened. */
  readonly id: string
  /** `openai`, `openai/gpt-5` or `openai#1`: a provider, a model or a key. */
  readonly circuit: string
  readonly openedAt: number
  readonly closedAt?: number | undefined
  /** Of the failure that opened it, where a call told it. */
  readonly kind?: string | undefined
  readonly message?: string | undefined
  /** Runs and stages that it met until now. */
  readonly runs: number
  readonly stages: number
}

export interface IncidentNews {
  readonly type: 'incident.opened' | 'incident.closed'
  readonly incident: Incident
}

/** What a call met at a circuit: a failure, or a refusal. */
export interface Meeting {
  readonly circuit: string
  readonly runId: string
  readonly stage: string
  readonly failure?: { readonly kind: string; readonly message: string } | undefined
}

export interface Incidents {
  /** An earlier process left this circuit open: its incident goes on, and is not told again. */
  resume(circuit: string, openedAt: number): void
  /** A circuit of the providers changed. */
  follow(report: CircuitReport): void
  /** Nothing happens where the circuit has no open incident. */
  meet(meeting: Meeting): void
  /** What opened and closed since this was asked last: the one who asks writes it down. */
  news(): readonly IncidentNews[]
  list(): { readonly open: readonly Incident[]; readonly closed: readonly Incident[] }
}

interface Live {
  incident: Incident
  readonly runs: Set<string>
  readonly stages: Set<string>
}

const mostKept = 100

/** @param onChange told at once; what a call says of the cause comes after */
export function createIncidents(onChange: (news: IncidentNews) => void): Incidents {
  const open = new Map<string, Live>()
  let closed: Incident[] = []
  let untold: { readonly type: IncidentNews['type']; readonly live: Live }[] = []

  const tell = (type: IncidentNews['type'], live: Live): void => {
    untold = [...untold, { type, live }].slice(-mostKept)
    onChange({ type, incident: live.incident })
  }

  const begin = (circuit: string, openedAt: number): Live => {
    const incident = { id: `${circuit}@${openedAt}`, circuit, openedAt, runs: 0, stages: 0 }
    const live = { incident, runs: new Set<string>(), stages: new Set<string>() }
    open.set(circuit, live)
    return live
  }

  return {
    resume: (circuit, openedAt) => void begin(circuit, openedAt),
    follow(report) {
      if (report.type !== 'circuit.changed') return
      const { circuit, to, at } = report
      const live = open.get(circuit)
      if (to === 'open' && live === undefined) {
        tell('incident.opened', begin(circuit, at))
      } else if (to === 'closed' && live !== undefined) {
        open.delete(circuit)
        live.incident = { ...live.incident, closedAt: at }
        closed = [...closed, live.incident].slice(-mostKept)
        tell('incident.closed', live)
      }
    },
    meet({ circuit, runId, stage, failure }) {
      const live = open.get(circuit)
      if (live === undefined) return
      live.runs.add(runId)
      live.stages.add(`${runId}/${stage}`)
      const cause = live.incident.kind === undefined && failure ? { kind: failure.kind, message: failure.message } : {}
      live.incident = { ...live.incident, ...cause, runs: live.runs.size, stages: live.stages.size }
    },
    news() {
      if (untold.length === 0) return []
      const told = untold.map(({ type, live }) => ({ type, incident: live.incident }))
      untold = []
      return told
    },
    list: () => ({ open: [...open.values()].map(({ incident }) => incident), closed }),
  }
}
