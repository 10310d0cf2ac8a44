/** `holdfast tree`: the runs that have not ended and their actors, as they were last written. */
import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { beside } from '../open-store.ts'
import { treeLines } from '../print-tree.ts'
import type { Does } from './command.ts'

export function addTree(program: Command, does: Does): void {
  program
    .command('tree')
    .description('the supervision tree of the unfinished runs')
    .action(
      does((session, _args) =>
        beside(session, async client => {
          const tree = await client.tree()
          if (session.json) session.terminal.put(JSON.stringify(tree, null, 2))
          else for (const line of treeLines(tree)) session.terminal.put(line)
          return exitCodes.done
        }),
      ),
    )
}
