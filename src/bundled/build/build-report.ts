/** The report of a build: what was run and what became of it. The same outcomes give the same text. */
import type { Plan } from './plan.ts'
import type { CommandResult } from './run-command.ts'

/** A result for each command of the plan: an operator may have skipped some, and then there is none. */
export function outcomesOf(
  { commands }: Plan,
  results: readonly (CommandResult | null | undefined)[],
): CommandResult[] {
  return commands.map(
    ({ key, title }, index) =>
      results[index] ?? { key, title, status: 'skipped', exitCode: null, reason: 'skipped', stdout: '', stderr: '' },
  )
}

export function buildReport({ title, done }: Plan, results: readonly CommandResult[]): string {
  const failed = results.filter(({ status }) => status === 'failed')
  const skipped = results.filter(({ status }) => status === 'skipped')
  const outcome = [
    failed.length > 0 ? `${failed.length} failed, and the plan says to go on without them` : '',
    skipped.length > 0 ? `${skipped.length} skipped by an operator` : '',
  ]
    .filter(Boolean)
    .join('; ')
  return [
    `# Build: ${title}`,
    '',
    `${results.length === 1 ? '1 command' : `${results.length} commands`}: ${outcome || 'all succeeded'}.`,
    ...(done.length === 0 ? [] : ['', `Done before: ${done.join(', ')}.`]),
    '',
    '| command | outcome |',
    '| ------- | ------- |',
    ...results.map(({ key, title: what, status, reason }) => {
      const number = key.split('-', 1)[0]
      return `| ${number} ${cell(what)} | ${status === 'succeeded' ? 'succeeded' : cell(reason ?? 'failed')} |`
    }),
    ...failed.flatMap(({ title: what, stdout, stderr }) => [
      '',
      `## ${what}`,
      '',
      ...indented(stderr.trim() || stdout.trim()),
    ]),
    '',
  ].join('\n')
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replace(/\s+/g, ' ')

const indented = (output: string): string[] =>
  output === '' ? ['It said nothing.'] : output.split('\n').map(line => `    ${line}`)
