import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { HealthCheck } from '../../../src/health/check.ts'
import { builtInChecks } from '../../../src/health/checks.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const check = (name: string): HealthCheck => builtInChecks.find(candidate => candidate.name === name) as HealthCheck
const { signal } = new AbortController()

const guarded = (cwd?: string) => ({
  workflow: defineWorkflow({ name: 'guarded', version: '1' }).stage('work', { preflight: true }, () => 'done'),
  options: cwd === undefined ? {} : { cwd },
})

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
    const result = await settle(world.clock, (await runtime.start(workflow)).result())
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
