/** An explanation as prose, in the order in which somebody on call asks: what, how it stands, what happened, why, what now. */
import { formatMs } from '../../time/duration.ts'
import type { CauseLink, Explanation, RunSpend, StoryEntry } from './explanation.ts'
import { plural, timeOf } from './words.ts'

export function proseOf(explanation: Omit<Explanation, 'text'>): string {
  const { story, causes, next, commands, decisions } = explanation
  return [
    explanation.summary,
    ...section('How it stands', standingLines(explanation)),
    ...section('What happened', storyLines(story, explanation)),
    ...section('Why', causes.map(causeLine)),
    ...section(
      'What happens next',
      next.map(({ text }) => text),
    ),
    ...section('What you can do', commandLines(commands)),
    ...section(
      'What does not add up',
      decisions.differences.map(
        ({ seq, stage, recorded, derived }) =>
          `event ${seq}, stage '${stage}': the journal says ${recorded}; from the same facts the machine decides ${derived}`,
      ),
    ),
  ].join('\n')
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', title, ...lines.map(line => `  ${line}`)]

/** Stages and items that are listed: of a large map, many may be in trouble. */
const mostStages = 40

function standingLines({ stages, spend, stage }: Explanation | Omit<Explanation, 'text'>): string[] {
  const told = stages.slice(0, mostStages)
  const lines = told.map(found => {
    const counts = [
      found.attempts > 1 ? `attempt ${found.attempts}` : '',
      found.restarts > 0 ? plural(found.restarts, 'restart') : '',
      found.waits > 0 ? plural(found.waits, 'wait') : '',
      found.quiet === undefined ? '' : `${plural(found.quiet, 'item')} without trouble`,
    ].filter(part => part !== '')
    return `${found.name}: ${found.standing}${counts.length === 0 ? '' : ` (${counts.join(', ')})`}`
  })
  if (stages.length > told.length) lines.push(`… and ${stages.length - told.length} more`)
  return stage === undefined ? [...lines, spendLine(spend)] : lines
}

function spendLine({ usd, calls, tokens, wastedUsd, replayedCalls, budget }: RunSpend): string {
  const money = usd === 'unknown' ? 'an unknown amount of USD' : `${round(usd)} USD`
  const of = Object.entries(budget ?? {}).map(([currency, most]) => `${most} ${currency}`)
  return [
    `spent: ${money}, ${plural(calls, 'call')}, ${plural(tokens, 'token')}`,
    ...(of.length === 0 ? [] : [`of a budget of ${of.join(', ')}`]),
    ...(wastedUsd > 0 ? [`${round(wastedUsd)} USD of it for answers that were of no use`] : []),
    ...(replayedCalls > 0 ? [`${replayedCalls} calls saved by recorded answers`] : []),
  ].join(', ')
}

const round = (usd: number): string => String(Math.round(usd * 1e6) / 1e6)

function storyLines(
  story: readonly StoryEntry[],
  { startedAt, leftOut }: { startedAt: number; leftOut: number },
): string[] {
  const lines = story.flatMap((entry, index) => [
    ...(index === Math.ceil(story.length / 2) && leftOut > 0 ? [`… ${leftOut} more of this kind are left out …`] : []),
    `${stamp(entry.at, startedAt)}  ${entry.text}${again(entry)}`,
    ...entry.decisions.map(({ text }) => `${' '.repeat(stamp(entry.at, startedAt).length)}  → ${text}`),
  ])
  return lines
}

const again = ({ times, lastAt }: StoryEntry): string =>
  times === 1 ? '' : ` (${times} times alike, the last at ${timeOf(lastAt)})`

/** The time of day, and how long after the start. */
const stamp = (at: number, startedAt: number): string =>
  `${new Date(at).toISOString().slice(11, 19)} +${formatMs(Math.max(0, at - startedAt)).padEnd(7)}`

const causeLine = ({ name, message, kind, code }: CauseLink, index: number): string => {
  const facts = [kind === 'unknown' ? undefined : kind, code].filter(fact => fact !== undefined)
  return `${'  '.repeat(index)}${index === 0 ? '' : 'caused by '}${name}${facts.length === 0 ? '' : ` (${facts.join(', ')})`}: ${message}`
}

function commandLines(commands: Explanation['commands']): string[] {
  const width = Math.min(60, Math.max(...commands.map(({ command }) => command.length)))
  return commands.map(({ command, why }) => `${command.padEnd(width)}  ${why}`)
}
