/** `holdfast cost [--since]`: what the runs of the store have cost, and what the same tokens would have cost. */
import type { Command } from 'commander'
import { type CostReport, systemClock } from '../../index.ts'
import { exitCodes } from '../exit-codes.ts'
import { beside } from '../open-store.ts'
import { parseSince } from '../parse-flags.ts'
import { tableLines } from '../print-list.ts'
import type { Session } from '../session.ts'
import type { Does } from './command.ts'

export function addCost(program: Command, does: Does): void {
  program
    .command('cost')
    .description('what the runs have cost, and what was saved')
    .option('--since <when>', 'only runs started since a date, or within a time such as 7d')
    .action(
      does<{ readonly since?: string }>((session, _args, { since }) => {
        const from = since === undefined ? undefined : parseSince(since, systemClock.now())
        return beside(session, async client => {
          const report = await client.cost({ since: from })
          if (session.json) session.terminal.put(JSON.stringify(report, null, 2))
          else put(session, report)
          return exitCodes.done
        })
      }),
    )
}

function put(session: Session, report: CostReport): void {
  const { terminal } = session
  const rows = [...report.workflows, { workflow: 'all', ...report }].map(cost => [
    cost.workflow,
    String(cost.runs),
    String(cost.calls),
    String(cost.inputTokens),
    String(cost.outputTokens),
    usd(cost.usd),
    usd(cost.wastedUsd),
    usd(cost.baselineUsd),
    cost.savingsPercent === 'unknown' ? 'unknown' : `${cost.savingsPercent} %`,
  ])
  const head = ['WORKFLOW', 'RUNS', 'CALLS', 'TOKENS IN', 'OUT', 'USD', 'WASTED', 'BASELINE', 'SAVED']
  for (const line of tableLines([head, ...rows], terminal.isRead)) terminal.put(line)
  for (const warning of report.warnings) terminal.say(`warning: ${warning}`)
}

const usd = (amount: number | 'unknown'): string => (amount === 'unknown' ? amount : amount.toFixed(4))
