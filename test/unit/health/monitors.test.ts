import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createActor } from 'xstate'
import type { HealthCheck } from '../../../src/health/check.ts'
import { builtInChecks } from '../../../src/health/checks.ts'
import { createHealthMonitors } from '../../../src/health/monitors.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle, type World } from '../../support/runtime-world.ts'

const check = (name: string): HealthCheck => builtInChecks.find(candidate => candidate.name === name) as HealthCheck
const { signal } = new AbortController()

const guarded = (cwd?: string) => ({
  workflow: defineWorkflow({ name: 'guarded', version: '1' }).stage('work', { preflight: true }, () => 'done'),
  options: cwd === undefined ? {} : { cwd },
})

type OpenRuntime = Awaited<ReturnType<World['open']>>

/** Waits in real time until these monitors have found something: disk and git know nothing of the virtual clock. */
async function answered(runtime: OpenRuntime, names: readonly string[]): Promise<void> {
  for (;;) {
    const monitors = (await runtime.tree()).children.find(child => child.id === 'monitors')?.children ?? []
    const open = monitors.filter(({ id, state }) => names.includes(id) && /^(unknown|examining)$/.test(String(state)))
    if (open.length === 0) return
    await new Promise(resolve => setImmediate(resolve))
  }
}

describe('the checks that are built in', () => {
  it('find this repository healthy', async () => {
    for (const built of builtInChecks) {
      expect(await built.check({ cwd: process.cwd(), signal }), built.name).toMatchObject({ healthy: true })
    }
  })

  it('find a directory that cannot be read, and one that is no git repository', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-health-'))
    expect(await check('git').check({ cwd: directory, signal })).toMatchObject({
      healthy: false,
      message: expect.stringContaining('no git repository'),
    })
    rmSync(directory, { recursive: true })
    expect(await check('disk').check({ cwd: directory, signal })).toMatchObject({
      healthy: false,
      message: expect.stringContaining(directory),
    })
  })
})

describe('the preflight of a stage', () => {
  it('fails the stage with what a critical monitor found, and the function never runs', async () => {
    const world = createWorld()
    const checks = [{ name: 'licence', critical: true, check: () => ({ healthy: false, message: 'it has run out' }) }]
    const runtime = await world.open({ health: { checks } })
    let ran = false
    const workflow = defineWorkflow({ name: 'w', version: '1' }).stage(
      'a',
      { preflight: true, restart: 'temporary' },
      () => {
        ran = true
      },
    )
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(result).toMatchObject({
      success: false,
      error: { stage: 'a', message: expect.stringContaining('licence: it has run out') },
    })
    expect(ran).toBe(false)
    await runtime.close()
  })

  it('only degrades the run for what is not critical, and goes on', async () => {
    const world = createWorld()
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-health-'))
    const runtime = await world.open()
    const { workflow, options } = guarded(directory)
    const run = await runtime.start(workflow, undefined, options)
    await answered(runtime, ['node', 'disk', 'git'])
    const result = await settle(world.clock, run.result())
    expect(result).toMatchObject({ success: true, degraded: [{ stage: 'work', component: 'git' }] })
    const monitors = (await runtime.tree()).children.find(child => child.id === 'monitors')
    expect(monitors?.children).toMatchObject([
      { id: 'node', state: 'healthy' },
      { id: 'disk', state: 'healthy' },
      { id: 'git', state: 'degraded' },
      { id: 'degradation', state: 'degraded' },
    ])
    await runtime.close()
    rmSync(directory, { recursive: true })
  })

  it('counts a check that throws or never answers as a fault', async () => {
    const world = createWorld()
    const checks: HealthCheck[] = [
      { name: 'throws', check: () => Promise.reject(new Error('no idea')) },
      { name: 'silent', timeoutMs: 2000, check: () => new Promise(() => {}) },
    ]
    const runtime = await world.open({ health: { checks } })
    const { workflow } = guarded()
    const run = await runtime.start(workflow)
    await answered(runtime, ['node', 'disk', 'git', 'throws'])
    const result = await settle(world.clock, run.result())
    expect(result).toMatchObject({
      success: true,
      degraded: expect.arrayContaining([
        { stage: 'work', component: 'throws', reason: 'no idea' },
        { stage: 'work', component: 'silent', reason: expect.stringContaining('2000 ms') },
      ]),
    })
    await runtime.close()
  })

  it('examines nothing in minimal mode, and the stage runs', async () => {
    const world = createWorld()
    const runtime = await world.open({ mode: 'minimal' })
    const { workflow } = guarded()
    expect(await settle(world.clock, (await runtime.start(workflow)).result())).toMatchObject({
      success: true,
      degraded: [],
    })
    await runtime.close()
  })
})

/** A check that answers when it is told to, watched by its monitor. */
function watched() {
  const clock = virtualClock()
  const asked: { readonly cwd: string; readonly signal: AbortSignal; readonly answer: () => void }[] = []
  const check: HealthCheck = {
    name: 'slow',
    check: ({ cwd, signal }) =>
      new Promise(resolve => {
        asked.push({ cwd, signal, answer: () => resolve({ healthy: true, message: 'fine' }) })
      }),
  }
  const monitors = createHealthMonitors([check], clock)
  const [spec] = monitors.specs
  if (!spec) throw new Error('no monitor')
  const monitor = createActor(spec.logic, { input: spec.input }).start()
  const preflight = (cwd = '/here') => {
    const controller = new AbortController()
    const findings = monitors.preflight(cwd, controller.signal, () => monitor)
    findings.catch(() => {})
    return { findings, cancel: () => controller.abort(new Error('cancelled')) }
  }
  return { clock, asked, monitor, preflight }
}
const healthy = [{ name: 'slow', critical: false, healthy: true, message: 'fine' }]

describe('a preflight that is cancelled', () => {
  it('ends at once, stops its check and leaves no timer', async () => {
    const { clock, asked, preflight } = watched()
    const { findings, cancel } = preflight()
    expect(clock.pending).toBe(1)
    cancel()
    await expect(findings).rejects.toThrow('cancelled')
    expect(asked[0]?.signal.aborted).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('leaves the examination to another that waits for it, and the last one stops it', async () => {
    const { clock, asked, preflight } = watched()
    const [first, second, third] = [preflight(), preflight(), preflight()]
    first.cancel()
    await expect(first.findings).rejects.toThrow('cancelled')
    expect(asked.map(({ signal }) => signal.aborted)).toEqual([false])
    asked[0]?.answer()
    expect(await second.findings).toEqual(healthy)
    expect(await third.findings).toEqual(healthy)

    const [fourth, fifth] = [preflight(), preflight()]
    fourth.cancel()
    fifth.cancel()
    await expect(fifth.findings).rejects.toThrow('cancelled')
    expect(asked.map(({ signal }) => signal.aborted)).toEqual([false, true])
    expect(clock.pending).toBe(0)
  })

  it('is no fault of the thing: the next preflight examines it anew', async () => {
    const { asked, monitor, preflight } = watched()
    const { findings, cancel } = preflight()
    cancel()
    await expect(findings).rejects.toThrow('cancelled')
    expect(monitor.getSnapshot()).toMatchObject({ value: 'unknown', context: { failures: 0, lastCheckAt: null } })
    const next = preflight()
    asked[0]?.answer()
    asked[1]?.answer()
    expect(await next.findings).toEqual(healthy)
    expect(asked).toHaveLength(2)
    expect(monitor.getSnapshot()).toMatchObject({ value: 'healthy', context: { failures: 0 } })
  })

  it('lets one of another directory begin, and ends while it waits for its own turn', async () => {
    const { clock, asked, preflight } = watched()
    const [here, there, elsewhere] = [preflight('/here'), preflight('/there'), preflight('/elsewhere')]
    elsewhere.cancel()
    await expect(elsewhere.findings).rejects.toThrow('cancelled')
    here.cancel()
    await expect(here.findings).rejects.toThrow('cancelled')
    await clock.advance(0)
    expect(asked.map(({ cwd }) => cwd)).toEqual(['/here', '/there'])
    asked[1]?.answer()
    expect(await there.findings).toEqual(healthy)
  })

  it('leaves no timer when its run is cancelled', async () => {
    const world = createWorld()
    const runtime = await world.open({ health: { checks: [{ name: 'silent', check: () => new Promise(() => {}) }] } })
    const run = await runtime.start(guarded().workflow)
    await world.clock.advance(1)
    await run.cancel()
    await run.result()
    await runtime.close()
    expect(world.clock.pending).toBe(0)
  })
})

describe('degrade()', () => {
  it('marks the run and tells the degradation actor, which stages can ask for', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = defineWorkflow({ name: 'w', version: '1' })
      .stage('a', ({ degrade }) => degrade('only half of it was there'))
      .stage('b', ({ system }) => system.state())
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
    expect(result).toMatchObject({
      success: true,
      degraded: [{ stage: 'a', reason: 'only half of it was there' }],
      output: { mode: 'full', degradation: 'degraded' },
    })
    await runtime.close()
  })
})
