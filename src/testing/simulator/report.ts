/** What a simulation found, for people: the violation with its trace, or what was tried and what came of it. */
import { formatMs } from '../../time/duration.ts'
import type { SimulationResult } from './simulation-result.ts'

const mostTraceLines = 40
const worst = 3

export function reportOf(name: string, result: Omit<SimulationResult, 'report'>): string {
  return [...(result.ok ? [] : failure(name, result)), ...summary(name, result)].join('\n')
}

function failure(name: string, { seed, violations, trace = [], replay }: Omit<SimulationResult, 'report'>): string[] {
  const left = trace.length - mostTraceLines
  return [
    `'${name}' breaks a guarantee with seed ${seed}:`,
    ...violations
      .slice(0, 5)
      .map(({ invariant, message, runId }) => `  ${invariant}: ${message}${runId ? ` (${runId})` : ''}`),
    ...(violations.length > 5 ? [`  and ${violations.length - 5} more`] : []),
    '',
    ...(left > 0 ? [`  … ${left} lines`] : []),
    ...trace.slice(-mostTraceLines).map(line => `  ${line}`),
    '',
    `again: ${replay}`,
    '',
  ]
}

function summary(
  name: string,
  { seeds, outside, coverage, simulatedHours }: Omit<SimulationResult, 'report'>,
): string[] {
  const sum = (of: (seed: SimulationResult['seeds'][number]) => number): number =>
    seeds.reduce((total, seed) => total + of(seed), 0)
  const outcomes = new Map<string, number>()
  for (const seed of seeds) {
    for (const [status, count] of Object.entries(seed.outcomes))
      outcomes.set(status, (outcomes.get(status) ?? 0) + count)
  }
  const recoveries = seeds.flatMap(({ recoveryMs }) => recoveryMs ?? []).sort((a, b) => a - b)
  const middle = recoveries[Math.floor(recoveries.length / 2)]
  const hardest = [...seeds].sort((a, b) => b.lives + b.restarts - a.lives - a.restarts).slice(0, worst)
  const { states, transitions } = coverage
  return [
    `'${name}': ${seeds.length} ${seeds.length === 1 ? 'seed' : 'seeds'}, ${simulatedHours.toFixed(1)} simulated hours`,
    `  runs        ${[...outcomes].map(([status, count]) => `${count} ${status}`).join(', ') || 'none'}`,
    `  spent       ${sum(({ spentUsd }) => spentUsd).toFixed(2)} USD (simulated)`,
    `  processes   ${sum(({ lives }) => lives)}; attempts ${sum(({ attempts }) => attempts)}; restarts ${sum(({ restarts }) => restarts)}`,
    ...(middle === undefined
      ? []
      : [
          `  recovery    ${formatMs(middle)} in the middle, ${formatMs(recoveries.at(-1) as number)} at most, once healed`,
        ]),
    `  covered     ${states.reached.length} of ${states.total} states, ${transitions.reached.length} of ${transitions.total} transitions`,
    `  hardest     ${hardest.map(({ seed, lives, restarts }) => `seed ${seed} (${lives} processes, ${restarts} restarts)`).join(', ')}`,
    ...new Set(
      outside.map(
        ({ stage, what, replaced }) =>
          `  by itself   stage '${stage.replace(/\[.*$/s, '')}' uses ${what}: ${replaced ? 'it was given simulated values' : 'it was refused'}`,
      ),
    ),
  ]
}
