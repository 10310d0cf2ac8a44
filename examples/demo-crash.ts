/**
 * `npm run demo:crash`: a code review of this repository against a provider that misbehaves on purpose: it limits the
 * rate, then is overloaded, then dead, then back; and in the middle the process is killed. The review goes on with
 * another provider, then in another process, and ends with the very report of a calm day. Real servers on loopback, real
 * processes, a real SIGKILL; no key, no network, no money.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createClient, type JournalEvent, type RunResult } from '../src/index.ts'
import { type FakeProviderServer, fakeProviderServer, type ServerReplyFunction } from '../src/testing.ts'

const here = dirname(fileURLToPath(import.meta.url))
const worker = join(here, 'demo-crash-worker.ts')
const runId = 'review'
/** The process is killed after so many answers. */
const killAfter = 50

/** What any provider answers: it depends on what is asked and on nothing else. */
const answer: ServerReplyFunction = ({ body }) => {
  const messages = body.messages as { role: string; content: string }[]
  const [system = '', prompt = ''] = messages.map(({ content }) => content)
  if (system.startsWith('From the findings')) return { object: { predictions: [] }, delay: 30 }
  if (!system.startsWith('You review'))
    return { text: 'A made-up review: nothing of it is about this code.', delay: 30 }
  const chance = createHash('sha256').update(prompt).digest()
  const line = Number(/^Lines (\d+)/.exec(prompt)?.[1] ?? 1)
  const finding = { line, severity: 'info', message: `made up from ${chance.toString('hex').slice(0, 8)}` }
  return { object: { findings: (chance[0] ?? 0) % 3 === 0 ? [finding] : [] }, delay: 30 }
}

/** Well at first, then 429, then 503, then no answer at all; back once the second process has begun. */
function storm(isBack: () => boolean, said: (what: string) => void): ServerReplyFunction {
  let number = 0
  const at = (when: number, what: string): void => {
    if (number === when) said(what)
  }
  return call => {
    number++
    at(11, 'the first provider limits the rate: 429')
    at(13, 'it is overloaded: 503')
    at(16, 'it is dead: connections are reset')
    if (isBack() || number <= 10) return answer(call, number)
    if (number <= 12) return { status: 429, headers: { 'retry-after-ms': '200' } }
    return number <= 15 ? { status: 503 } : { fault: 'reset' }
  }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)

interface Servers {
  readonly first: FakeProviderServer
  readonly second: FakeProviderServer
}

function startWorker(directory: string, { first, second }: Servers): ChildProcess {
  const args = ['--import', 'tsx', worker, join(directory, 'holdfast.db'), runId, first.url, second.url]
  return spawn(process.execPath, args, { cwd: join(here, '..'), stdio: ['ignore', 'ignore', 'inherit'] })
}

const exited = (child: ChildProcess): Promise<void> => new Promise(resolve => child.on('close', () => resolve()))

async function readRun(directory: string): Promise<{ events: JournalEvent[]; result: RunResult | undefined }> {
  const client = createClient({ store: join(directory, 'holdfast.db') })
  const events: JournalEvent[] = []
  for await (const event of client.events(runId)) events.push(event)
  const { result } = await client.get(runId)
  await client.close()
  return { events, result }
}

const hashOf = (result: RunResult | undefined): string =>
  result?.success === true ? (result.output as { reportHash: string }).reportHash : `none (${result?.status})`

async function calmDay(directory: string): Promise<string> {
  const servers = { first: await fakeProviderServer(answer), second: await fakeProviderServer(answer) }
  await exited(startWorker(directory, servers))
  await Promise.all([servers.first.close(), servers.second.close()])
  const { result } = await readRun(directory)
  say(`a calm day: ${result?.cost.calls} calls, ${cents(result?.cost.usd)}, report ${hashOf(result).slice(0, 16)}`)
  return hashOf(result)
}

async function stormyDay(
  directory: string,
): Promise<{ events: JournalEvent[]; result: RunResult | undefined; atKill: number }> {
  let isBack = false
  let answered = 0
  let enough: () => void = () => {}
  const untilKill = new Promise<void>(resolve => {
    enough = resolve
  })
  const counted =
    (reply: ServerReplyFunction): ServerReplyFunction =>
    (call, number) => {
      if (++answered === killAfter) enough()
      return reply(call, number)
    }
  const servers = {
    first: await fakeProviderServer(counted(storm(() => isBack, say))),
    second: await fakeProviderServer(counted(answer)),
  }
  const doomed = startWorker(directory, servers)
  await Promise.race([untilKill, exited(doomed)])
  say('in the middle of it: SIGKILL')
  doomed.kill('SIGKILL')
  await exited(doomed)
  const atKill = (await readRun(directory)).events.length
  isBack = true
  say('another process takes the run up; the first provider is back')
  await exited(startWorker(directory, servers))
  await Promise.all([servers.first.close(), servers.second.close()])
  return { ...(await readRun(directory)), atKill }
}

const cents = (usd: number | 'unknown' | undefined): string =>
  typeof usd === 'number' ? `${usd.toFixed(4)} USD` : 'an unknown amount'

/** When the circuit of the first provider tripped, by which failures, and what it spared. */
function tripOf(events: readonly JournalEvent[]): string {
  const trip = events.findIndex(({ type }) => type === 'incident.opened')
  if (trip < 0) return 'never'
  const { circuit, kind: last } = events[trip]?.data ?? {}
  const kinds = new Map<unknown, number>()
  const counted = events.slice(0, trip).filter(({ type, data }) => {
    // A rate limit says when to come again; it is the key's affair and trips nothing.
    const failed = type === 'call.attempted' && data.outcome === 'failed' && data.kind !== 'rate_limit'
    return failed && data.provider === circuit
  })
  // The failure that tripped it is told with the incident, before its own line.
  for (const kind of [...counted.map(({ data }) => data.kind), last]) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  const failures = [...kinds].map(([kind, count]) => `${count} × ${kind}`).join(', ')
  const spared = events.filter(({ type, data }) => type === 'call.attempted' && data.outcome === 'refused').length
  return `'${circuit}' opened after ${failures}; ${spared} requests were refused instead of sent`
}

function tell(events: readonly JournalEvent[], atKill: number, result: RunResult | undefined): number {
  const before = events.slice(0, atKill)
  const count = (type: string, among = events): number => among.filter(event => event.type === type).length
  const paid = before.filter(event => event.type === 'call.succeeded')
  const usd = paid.reduce((sum, { data }) => sum + Number(data.cost), 0)
  const incidents = count('incident.opened')
  say('')
  say(`recovered:        ${count('stage.succeeded', before)} stages and pieces that had ended before the kill`)
  say(`executed again:   ${count('call.unknown')} calls that were under way when the process died`)
  say(`not paid again:   ${paid.length} answers, ${cents(usd)}`)
  say(`circuit tripped:  ${tripOf(events)}`)
  say(`fallbacks:        ${count('call.fell_back')}, to the second provider`)
  say(`incidents:        ${incidents} opened, ${count('incident.closed')} closed`)
  say(`all in all:       ${result?.cost.calls} calls, ${cents(result?.cost.usd)}, ${result?.resumes} resume`)
  return incidents
}

const directory = mkdtempSync(join(tmpdir(), 'holdfast-demo-'))
try {
  const calm = await calmDay(join(directory, 'calm'))
  const { events, result, atKill } = await stormyDay(join(directory, 'storm'))
  const incidents = tell(events, atKill, result)
  const same = hashOf(result) === calm
  say(
    `the report:       ${hashOf(result).slice(0, 16)}, ${same ? 'the same as on a calm day' : 'NOT that of the calm day'}`,
  )
  process.exitCode = same && incidents === 1 && result?.resumes === 1 ? 0 : 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
