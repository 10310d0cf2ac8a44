/** `holdfast circuits list|reset|isolate`: the circuits of providers, models and keys, of whoever has them. */
import type { Command } from 'commander'
import type { CircuitSummary } from '../../index.ts'
import { formatMs } from '../../time/duration.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { beside } from '../open-store.ts'
import { tableLines } from '../print-list.ts'
import type { Session } from '../session.ts'
import type { Does } from './command.ts'

export function addCircuits(program: Command, does: Does): void {
  const circuits = program.command('circuits').description('look at the circuits of providers, models and keys')
  circuits
    .command('list')
    .description('how they stand; of the process that has the store, else as the last one left them')
    .action(
      does(session =>
        beside(session, async client => {
          const items = await client.circuits.list()
          if (session.json) session.terminal.put(JSON.stringify({ items }, null, 2))
          else if (items.length === 0) session.terminal.say('no circuits: nobody has been asked yet')
          else put(session, items)
          return exitCodes.done
        }),
      ),
    )
  circuits
    .command('reset')
    .argument('<id>')
    .description('close one, whatever its state')
    .action(does((session, [id = '']) => change(session, 'reset', id)))
  circuits
    .command('isolate')
    .argument('<id>')
    .description('take one out: it refuses every call until it is reset')
    .action(does((session, [id = '']) => change(session, 'isolate', id)))
}

const change = (session: Session, what: 'reset' | 'isolate', id: string): Promise<ExitCode> =>
  beside(session, async client => {
    const circuit = await client.circuits[what](id)
    if (session.json) session.terminal.put(JSON.stringify(circuit, null, 2))
    else session.terminal.put(`circuit ${circuit.id} is ${circuit.state}`)
    return exitCodes.done
  })

function put(session: Session, circuits: readonly CircuitSummary[]): void {
  const rows = circuits.map(({ id, state, remainingMs, failureCount, calls, refusals, trips }) => {
    const until = state === 'open' && remainingMs !== undefined ? `for ${formatMs(remainingMs)}` : ''
    return [id, state, until, String(failureCount), String(calls), String(refusals), String(trips)]
  })
  const head = ['CIRCUIT', 'STATE', 'STILL', 'FAILURES', 'CALLS', 'REFUSED', 'TRIPS']
  for (const line of tableLines([head, ...rows], session.terminal.isRead)) session.terminal.put(line)
}
