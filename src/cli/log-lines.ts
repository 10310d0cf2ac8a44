/**
 * What a log says of the events of a journal: which component speaks, how grave it is, and a sentence. Stage transitions
 * carry their durations, a new try says which of how many it is, health what each monitor found. Pure.
 */
import type { JournalEvent, RunError } from '../index.ts'
import { formatMs } from '../time/duration.ts'
import type { StageView } from './stage-board.ts'
import { describeStage } from './stage-tree.ts'

export type Grade = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR'

export interface LogEntry {
  readonly component: string
  readonly grade: Grade
  readonly message: string
}

/** `time - component - LEVEL - [run id] message`, on one line. */
export function logLine(at: number, { component, grade, message }: LogEntry, runId?: string): string {
  const text = message.replace(/\s*[\r\n]+\s*/g, ' | ').replace(/\p{Cc}+/gu, ' ')
  return `${new Date(at).toISOString()} - ${component} - ${grade} - ${runId === undefined ? '' : `[${runId}] `}${text}`
}

interface Counters {
  readonly attempt: number
  readonly maxRetries: number
  readonly spent: number
  readonly intensity: number
}

/** Of the data of all events, what is told here. */
interface Told {
  readonly error?: { readonly name?: string; readonly message?: string }
  readonly monitors?: readonly { readonly name: string; readonly healthy: boolean; readonly message: string }[]
  readonly counters?: Counters
  readonly delayMs?: number
  readonly workflow?: string
  readonly version?: string
  readonly component?: string
  readonly reason?: string | null
  readonly afterMs?: number
  readonly name?: string
}

/** @param stage the stage of the event as it stands after it */
export function entryOf(event: JournalEvent, stage: StageView | undefined): LogEntry {
  const { type, at, stage: name = '' } = event
  const data = event.data as Told
  const component = type.slice(0, Math.max(0, type.indexOf('.'))) || 'run'
  const entry = (grade: Grade, message: string, from = component): LogEntry => ({ component: from, grade, message })
  const took = stage === undefined ? '' : ` (${describeStage(stage, at).replace(/^(?:failed|lost|fell back) /, '')})`
  switch (type) {
    case 'run.started':
      return entry('INFO', `workflow '${data.workflow}' version ${data.version} started`)
    case 'run.completed':
      return entry('INFO', 'completed')
    case 'run.failed':
    case 'run.quarantined':
    case 'run.budget_exceeded':
      return entry('ERROR', `${type.slice(4).replace('_', ' ')}: ${errorText(data)}`)
    case 'stage.started':
      return entry('INFO', `${name} started`)
    case 'stage.attempted':
      return entry('INFO', `attempt ${event.attempt} for ${name}`)
    case 'stage.failed':
      return entry('ERROR', `${name} failed${took}: ${errorText(data)}`)
    case 'stage.degraded':
    case 'stage.fell_back':
      return entry(
        'WARNING',
        `${name} ${type === 'stage.degraded' ? 'was lost' : 'fell back'}${took}: ${errorText(data)}`,
      )
    case 'stage.warned':
      return entry('WARNING', `${name} still runs after ${formatMs(data.afterMs ?? 0)}`)
    case 'stage.succeeded':
      return entry('INFO', `${name} done${took}`)
    case 'attempt.failed':
      return entry('WARNING', `attempt ${event.attempt} for ${name} failed: ${errorText(data)}`)
    case 'retry.decided':
    case 'restart.decided':
      return entry('INFO', againText(type, name, data))
    case 'preflight.passed':
    case 'preflight.failed':
      return entry(type === 'preflight.passed' ? 'INFO' : 'ERROR', `before ${name}: ${monitorText(data)}`, 'health')
    case 'degraded':
      return entry('WARNING', `${data.component ?? name} works less well: ${data.reason}`, 'health')
    default:
      return entry(component === 'run' ? 'INFO' : 'DEBUG', restText(type, name, data))
  }
}

/** How a run failed, and what may be done about it. */
export function entriesOfError({ type, category, code, stage, recommendations }: RunError): LogEntry[] {
  const where = stage === undefined ? '' : `, stage ${stage}`
  return [
    {
      component: 'run',
      grade: 'ERROR',
      message: `error context: type ${type}, category ${category}, code ${code}${where}`,
    },
    ...recommendations.map(
      (advice): LogEntry => ({ component: 'run', grade: 'INFO', message: `recommendation: ${advice}` }),
    ),
  ]
}

const errorText = ({ error }: Told): string =>
  error === undefined ? 'no reason is known' : [error.name, error.message].filter(Boolean).join(': ')

function againText(type: string, name: string, { counters, delayMs = 0 }: Told): string {
  const when = delayMs > 0 ? ` in ${formatMs(delayMs)}` : ''
  if (!counters) return `${name} is tried again${when}`
  return type === 'retry.decided'
    ? `attempt ${counters.attempt}/${counters.maxRetries + 1} for ${name}${when}`
    : `restart ${counters.spent}/${counters.intensity} for ${name}, attempt ${counters.attempt}${when}`
}

const monitorText = ({ monitors = [] }: Told): string =>
  monitors.map(({ name, healthy, message }) => `${name} ${healthy ? 'healthy' : 'unhealthy'} (${message})`).join(', ')

const restText = (type: string, name: string, { name: signal, reason }: Told): string =>
  [type.replace('.', ' ').replaceAll('_', ' '), name && `of ${name}`, signal && `'${signal}'`, reason && `: ${reason}`]
    .filter(Boolean)
    .join(' ')
    .replace(' : ', ': ')
