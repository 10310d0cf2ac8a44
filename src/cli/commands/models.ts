/** `holdfast models list|validate [--ping]`: the models that runs would be given, and whether they make sense. */
import type { Command } from 'commander'
import {
  classifyError,
  type ModelFinding,
  type ModelInfo,
  type PingResult,
  pingModels,
  systemClock,
  validateModels,
} from '../../index.ts'
import { formatMs } from '../../time/duration.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { tableLines } from '../print-list.ts'
import type { Session } from '../session.ts'
import { usualModels } from '../usual-models.ts'
import type { Does } from './command.ts'

export function addModels(program: Command, does: Does): void {
  const models = program.command('models').description('look at the models of the configured providers')
  models
    .command('list')
    .description('the models that are known, what they can do and what they cost')
    .action(does(list))
  models
    .command('validate')
    .description('whether prices, tiers and tasks make sense')
    .option('--ping', 'ask each model one word; it costs what a few tokens cost')
    .action(does<{ readonly ping?: boolean }>(validate))
}

async function list(session: Session): Promise<ExitCode> {
  const { registry } = await usualModels()
  const items = registry.list()
  if (session.json) session.terminal.put(JSON.stringify({ items }, null, 2))
  else for (const line of modelLines(items, session.terminal.isRead)) session.terminal.put(line)
  return exitCodes.done
}

function modelLines(items: readonly ModelInfo[], forPerson: boolean): string[] {
  const rows = items.map(({ provider, model, tier, contextWindow, price, asOf, offered, deprecated }) => [
    provider,
    model,
    tier,
    contextWindow === undefined ? 'unknown' : String(contextWindow),
    price === 'unknown' ? 'unknown' : `${price.inputUsdPerMTok} / ${price.outputUsdPerMTok}`,
    asOf,
    deprecated === undefined ? (offered ? 'configured' : '') : 'deprecated',
  ])
  return tableLines(
    [['PROVIDER', 'MODEL', 'TIER', 'WINDOW', 'USD A MILLION IN / OUT', 'AS OF', ''], ...rows],
    forPerson,
  )
}

async function validate(session: Session, _args: unknown, { ping = false }: { ping?: boolean }): Promise<ExitCode> {
  const { providers, registry } = await usualModels()
  const findings = validateModels(providers, registry, systemClock.now())
  const { signal } = new AbortController()
  const asked = ping ? await pingModels(providers, { clock: systemClock, signal }) : []
  const pings = asked.map(toldPing)
  const ok = findings.every(({ level }) => level !== 'error') && pings.every(({ outcome }) => outcome !== 'failed')
  if (session.json) session.terminal.put(JSON.stringify({ ok, findings, ...(ping ? { pings } : {}) }, null, 2))
  else {
    for (const finding of findings) session.terminal.put(findingLine(finding))
    for (const answer of pings) session.terminal.put(pingLine(answer))
    session.terminal.say(ok ? 'the models make sense' : 'there are models that would fail')
  }
  return ok ? exitCodes.done : exitCodes.failed
}

const findingLine = ({ level, message }: ModelFinding): string => `${level}: ${message}`

/** With the kind of the failure in place of the error itself. */
function toldPing({ error, ...result }: PingResult) {
  return error === undefined ? result : { ...result, kind: classifyError(error, { provider: result.provider }).kind }
}

function pingLine({ provider, model, outcome, latencyMs, reason }: PingResult): string {
  const level = { answered: 'ok', skipped: 'skipped', failed: 'error' }[outcome]
  const took = latencyMs === undefined ? '' : ` (${formatMs(latencyMs)})`
  return `${level}: ${provider}/${model}: ${reason ?? 'answered'}${took}`
}
