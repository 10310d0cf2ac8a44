/** A journal event as one line: number, time, type, stage, and the facts of its data that fit. */
import type { JournalEvent } from '../index.ts'

const longest = 160

export function eventLine({ seq, at, type, stage, attempt, data }: JournalEvent): string {
  const time = new Date(at).toISOString().slice(11, 23)
  const where = stage === undefined ? '' : ` ${stage}${attempt !== undefined && attempt > 1 ? `#${attempt}` : ''}`
  const facts = Object.entries(data).map(([name, value]) => `${name}=${textOf(value)}`)
  const line = `${String(seq).padStart(4)} ${time} ${type}${where}${facts.length > 0 ? `  ${facts.join(' ')}` : ''}`
  return line.length <= longest ? line : `${line.slice(0, longest - 1)}…`
}

/** An error is its message: its stack belongs to `--json`. */
function textOf(value: unknown): string {
  const { message, name } = (value ?? {}) as { message?: unknown; name?: unknown }
  if (typeof message === 'string' && typeof name === 'string') return `${name}: ${message.split('\n')[0]}`
  return typeof value === 'string' ? value.replace(/\s+/g, ' ') : (JSON.stringify(value) ?? '')
}
