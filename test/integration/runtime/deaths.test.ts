import { expect, it } from 'vitest'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld } from '../../support/runtime-world.ts'

it('a run whose process has died ten times while its code ran is set aside, and no sooner', async () => {
  const world = createWorld()
  let executions = 0
  const workflow = defineWorkflow({ name: 'w', version: '1' }).stage('deadly', { timeout: '1d' }, () => {
    executions++
    return new Promise(() => {})
  })
  const dead = []
  for (let deaths = 0; deaths < 10; deaths++) {
    const runtime = await world.open({ workflows: [workflow] })
    const run = deaths === 0 ? await runtime.start(workflow, undefined, { id: 'r' }) : await runtime.get('r')
    await world.clock.advance('1m')
    expect([await run.status(), executions]).toEqual(['running', deaths + 1])
    // Its claim is gone with it, and what it still wants to write is refused.
    await world.store.close()
    dead.push(runtime)
  }
  const last = await world.open({ workflows: [workflow] })
  expect(await (await last.get('r')).result()).toMatchObject({
    status: 'quarantined',
    error: { message: expect.stringContaining('died 10 times') },
  })
  expect(executions).toBe(10)
  await last.close()
  await Promise.allSettled(dead.map(runtime => runtime.close()))
})
