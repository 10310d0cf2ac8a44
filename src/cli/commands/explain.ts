/** `holdfast explain <id>`: what became of a run and why, and what to do. Works beside a live owner. */
import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { beside } from '../open-store.ts'
import { quoted } from '../shell.ts'
import type { Does } from './command.ts'

interface ExplainFlags {
  readonly stage?: string
}

export function addExplain(program: Command, does: Does): void {
  program
    .command('explain')
    .argument('<id>')
    .description('what became of a run, why, what happens next and what to do')
    .option('--stage <name>', "only one stage, item ('review[a.ts]'), or map with its items")
    .action(
      does<ExplainFlags>((session, [id = ''], { stage }) =>
        beside(session, async client => {
          const command = (text: string): string => session.command(text.replaceAll(id, () => quoted(id)))
          const explanation = await client.explain(id, { stage, command })
          session.terminal.put(session.json ? JSON.stringify(explanation, null, 2) : explanation.text)
          return exitCodes.done
        }),
      ),
    )
}
