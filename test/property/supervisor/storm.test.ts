import { describe, expect, it } from 'vitest'
import { createSupervisor } from '../../../src/supervisor.ts'
import { fail, started, worker } from '../../support/supervised-worker.ts'

describe('a storm of failures', () => {
  it('lets other timers make progress between restarts', async () => {
    const { sup, clock } = await started({
      intensity: 1_000_000,
      children: Array.from({ length: 500 }, (_, index) => ({ id: `c${index}`, logic: worker })),
    })
    for (const { id } of sup.whichChildren()) fail(sup, id)
    const restartedWhenFired: number[] = []
    const tick = (): void => {
      restartedWhenFired.push(sup.countChildren().active)
      if (restartedWhenFired.length < 4) clock.setTimeout(tick, 0)
    }
    clock.setTimeout(tick, 0)
    await clock.advance(0)
    expect(restartedWhenFired[0]).toBeLessThan(100)
    expect(restartedWhenFired).toEqual([...new Set(restartedWhenFired)])
    expect(sup.countChildren().active).toBe(500)
    expect(clock.pending).toBe(0)
  })

  it('of thousands of live children leaves nothing when they have stopped', async () => {
    const sup = createSupervisor({ intensity: 1_000_000 })
    await sup.start()
    const refs = await Promise.all(
      Array.from({ length: 3000 }, (_, index) => sup.startChild({ id: `c${index}`, logic: worker })),
    )
    for (const ref of refs) if (Number(ref.id.slice(1)) % 10 === 0) ref.send({ type: 'FAIL' })
    expect(sup.countChildren().active).toBe(2700)
    while (sup.countChildren().active < 3000) await new Promise(resolve => setImmediate(resolve))
    await sup.stop()
    expect(sup.countChildren().active).toBe(0)
  })
})
