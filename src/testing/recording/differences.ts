/** What a replay came to otherwise than the run that was recorded, in words. */
import type { RunOutcome } from './recording.ts'

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length <= 200 ? text : `${text.slice(0, 199)}…`
}

export function outcomeDifferences(recorded: RunOutcome, replayed: RunOutcome): string[] {
  const found: string[] = []
  const compare = (what: string, was: unknown, is: unknown): void => {
    if (canonical(was) !== canonical(is)) found.push(`${what} was ${shown(was)} and is ${shown(is)}`)
  }
  compare('the status', recorded.status, replayed.status)
  const { message, ...error } = recorded.error ?? {}
  const { message: said, ...now } = replayed.error ?? {}
  // An answer that was refused is replayed as its error, and told of at more length.
  if (message !== undefined && said?.includes(message)) compare('the error', error, now)
  else compare('the error', recorded.error, replayed.error)
  compare('the output', recorded.output, replayed.output)
  for (const stage of new Set([...Object.keys(recorded.stages), ...Object.keys(replayed.stages)])) {
    compare(`stage '${stage}'`, recorded.stages[stage], replayed.stages[stage])
  }
  return found
}

const canonical = (value: unknown): string | undefined =>
  JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
