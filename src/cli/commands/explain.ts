/** `holdfast explain <id>`: what became of a run and why, and what to do. Works beside a live owner. */
import { type Command, Option } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { beside } from '../open-store.ts'
import { quoted } from '../shell.ts'
import { type AsTestFlags, writeTest } from './as-test.ts'
import type { Does } from './command.ts'

interface ExplainFlags extends AsTestFlags {
  readonly stage?: string
  readonly asTest?: boolean
}

export function addExplain(program: Command, does: Does): void {
  program
    .command('explain')
    .argument('<id>')
    .description('what became of a run, why, what happens next and what to do')
    .option('--stage <name>', "only one stage, item ('review[a.ts]'), or map with its items")
    .addOption(
      new Option('--as-test', 'write a Vitest file that replays what was recorded and expects the same end').conflicts(
        'stage',
      ),
    )
    .option('--out <file>', 'of --as-test: where to; - for stdout (<id>.test.ts)')
    .option('--force', 'of --as-test: replace the file that is there')
    .option('--workflow <file>', 'of --as-test: the file of the workflow, where the run does not know it')
    .action(
      does<ExplainFlags>((session, [id = ''], { stage, asTest, ...flags }) =>
        beside(session, async client => {
          if (asTest) return writeTest(session, client, id, flags)
          const command = (text: string): string => session.command(text.replaceAll(id, () => quoted(id)))
          const explanation = await client.explain(id, { stage, command })
          session.terminal.put(session.json ? JSON.stringify(explanation, null, 2) : explanation.text)
          return exitCodes.done
        }),
      ),
    )
}
