import { describe, expect, it } from 'vitest'
import { createRestWatch } from '../../../src/cli/rest-watch.ts'
import type { Client, JournalEvent, RunReport } from '../../../src/index.ts'

type Report = Pick<RunReport, 'status'> & { waitingFor?: RunReport['waitingFor']; parent?: string }

function watchOf(reports: Record<string, Report>, runIds: readonly string[], withPaused = false) {
  const client = { get: async (id: string) => ({ waitingFor: [], ...reports[id] }) as unknown as RunReport } as Client
  return createRestWatch(client, runIds, withPaused, { now: () => 1_000 })
}

const noneEnded = (): boolean => false
const signal = [{ kind: 'signal', stage: 'gate', name: 'go' }]

async function restsAtFirst(reports: Record<string, Report>, withPaused = false): Promise<boolean> {
  const watch = watchOf(reports, ['r'], withPaused)
  await watch.lookAtAll()
  return watch.isAtRest(noneEnded)
}

describe('a run is at rest', () => {
  it('when all that it waits for are signals without a time, or events of its own machine', async () => {
    expect(await restsAtFirst({ r: { status: 'waiting', waitingFor: signal } })).toBe(true)
    expect(await restsAtFirst({ r: { status: 'waiting', waitingFor: [...signal, { kind: 'event' }] } })).toBe(true)
  })

  it('when a signal that it waits for times out in more than a minute', async () => {
    const until = (time: number) => ({ kind: 'signal', stage: 'a', name: 'go', until: time })
    expect(await restsAtFirst({ r: { status: 'waiting', waitingFor: [until(61_001)] } })).toBe(true)
    expect(await restsAtFirst({ r: { status: 'waiting', waitingFor: [until(61_000)] } })).toBe(false)
    expect(await restsAtFirst({ r: { status: 'waiting', waitingFor: [until(61_001), until(5)] } })).toBe(false)
  })

  it('not while it works, sleeps, or waits for a cause to pass', async () => {
    expect(await restsAtFirst({ r: { status: 'running' } })).toBe(false)
    const sleeps = [...signal, { kind: 'sleep', stage: 'b', until: 5 }]
    expect(await restsAtFirst({ r: { status: 'waiting', waitingFor: sleeps } })).toBe(false)
    const untilSome = [{ kind: 'cause', stage: 'a', name: 'rate_limit', until: 99_000_000 }]
    expect(await restsAtFirst({ r: { status: 'waiting', waitingFor: untilSome } })).toBe(false)
  })

  it('when the child that it waits for is', async () => {
    const parent: Report = { status: 'waiting', waitingFor: [{ kind: 'child', stage: 'a', name: 'c' }] }
    expect(await restsAtFirst({ r: parent, c: { status: 'waiting', waitingFor: signal } })).toBe(true)
    expect(await restsAtFirst({ r: parent, c: { status: 'running' } })).toBe(false)
  })

  it('when it is paused, where that counts', async () => {
    expect(await restsAtFirst({ r: { status: 'paused' } })).toBe(false)
    expect(await restsAtFirst({ r: { status: 'paused' } }, true)).toBe(true)
  })
})

describe('several runs', () => {
  it('are at rest when one rests and every other rests or has ended', async () => {
    const watch = watchOf({ a: { status: 'waiting', waitingFor: signal }, b: { status: 'running' } }, ['a', 'b'])
    await watch.lookAtAll()
    expect(watch.isAtRest(noneEnded)).toBe(false)
    expect(watch.isAtRest(id => id === 'b')).toBe(true)
    expect(watch.isAtRest(() => true)).toBe(false)
  })

  it('follow their events, a child taking its parent along', async () => {
    const reports: Record<string, Report> = {
      p: { status: 'waiting', waitingFor: [{ kind: 'child', stage: 'a', name: 'c' }] },
      c: { status: 'running', parent: 'p' },
    }
    const watch = watchOf(reports, ['p'])
    await watch.lookAtAll()
    expect(watch.isAtRest(noneEnded)).toBe(false)
    reports.c = { status: 'waiting', waitingFor: signal, parent: 'p' }
    await watch.take({ type: 'run.waiting', runId: 'c' } as JournalEvent)
    expect(watch.isAtRest(noneEnded)).toBe(true)
    reports.c = { status: 'running', parent: 'p' }
    await watch.take({ type: 'run.active', runId: 'c' } as JournalEvent)
    expect(watch.isAtRest(noneEnded)).toBe(false)
  })
})
