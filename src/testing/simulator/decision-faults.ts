/**
 * Decisions of stages held against the policy that they name, by what the journal tells: an account of its own, which
 * shares no code with the machine that decides. Each decision to go on carries its policy; the failure before it says
 * what the other side asked for.
 */
import type { JournalRow } from '../../store/store.ts'

interface Decision {
  readonly kind: string | null
  readonly dueAt?: number
  readonly policy: {
    readonly maxRetries: number
    readonly retryOn: readonly string[]
    readonly restart: string
    readonly intensity: number
    readonly periodMs: number
    readonly livelockAfter: number
  }
}

interface Facts {
  readonly retryAfterMs?: number | null
  readonly exhausted?: boolean
}

interface StageAccount {
  retries: number
  restarts: number[]
  /** Of the failure that is decided about. */
  facts: Facts
  /** When the stage may go on. */
  dueAt: number | undefined
}

const goingOn = ['retry.decided', 'restart.decided', 'wait.decided']

/** What breaks the policy of a stage, as sentences. */
export function decisionFaults(rows: readonly JournalRow[]): string[] {
  const faults: string[] = []
  const accounts = new Map<string, StageAccount>()
  for (const row of rows) {
    if (row.type === 'run.reopened') accounts.clear()
    // What was under way starts anew, and does not wait for what its lost snapshot waited for.
    if (row.type === 'snapshot.refused') for (const account of accounts.values()) account.dueAt = undefined
    if (row.stage === undefined) continue
    const account = accounts.get(row.stage) ?? { retries: 0, restarts: [], facts: {}, dueAt: undefined }
    accounts.set(row.stage, account)
    const told = (message: string): void => void faults.push(`stage '${row.stage}' ${message} (seq ${row.seq})`)
    if (row.type === 'attempt.failed') account.facts = (JSON.parse(row.data) as { facts?: Facts }).facts ?? {}
    if (row.type === 'stage.attempted') {
      if (account.dueAt !== undefined && row.at < account.dueAt)
        told(`goes on ${account.dueAt - row.at} ms before it is due`)
      account.dueAt = undefined
    }
    if (goingOn.includes(row.type)) decided(row, account, JSON.parse(row.data) as Decision, told)
  }
  return faults
}

function decided(
  row: JournalRow,
  account: StageAccount,
  { kind, dueAt, policy }: Decision,
  told: (text: string) => void,
) {
  const { retryAfterMs, exhausted } = account.facts
  account.dueAt = dueAt
  if (dueAt !== undefined && retryAfterMs && dueAt < row.at + retryAfterMs)
    told(`goes on after ${dueAt - row.at} ms, and was asked to wait for ${retryAfterMs}`)
  if (row.type === 'retry.decided') {
    if (account.retries >= policy.maxRetries) told(`is retried ${account.retries + 1} times, of ${policy.maxRetries}`)
    if (kind === null || !policy.retryOn.includes(kind))
      told(`is retried after ${kind}, which its policy does not repeat`)
    if (exhausted === true) told('is retried though the call within had used up its attempts')
    account.retries++
  } else if (policy.restart !== 'transient') told(`is started again though it is ${policy.restart}`)
  if (row.type !== 'restart.decided') return
  const counted = account.restarts.filter(at => row.at - at <= policy.periodMs).length
  if (counted >= policy.intensity) told(`is restarted though ${counted} restarts count, of ${policy.intensity}`)
  account.restarts.push(row.at)
  account.retries = 0
}
