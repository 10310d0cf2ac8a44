import { describe, expect, it } from 'vitest'
import { explainDecision, type Restart, type SupervisorOptions } from '../../../src/supervisor.ts'
import { fail, finish, started, worker } from '../../support/supervised-worker.ts'

async function explained(options: SupervisorOptions, end: typeof fail, times = 1) {
  const { sup, clock } = await started(options)
  for (let n = 0; n < times; n++) {
    end(sup, 'a')
    await clock.advance(0)
  }
  return explainDecision(sup.decisions().at(-1) as never)
}

const a = (restart: Restart, significant = false) => [{ id: 'a', logic: worker, restart, significant }]

describe('a decision explains itself', () => {
  it('when a child is restarted', async () => {
    const { text, alternatives } = await explained({ id: 'pool', children: a('permanent') }, fail)
    expect(text).toBe(
      "pool: 'a' ended (abnormal); it will be started again at once, because a permanent child is always started again (1 of 3 restarts within 5000 ms).",
    )
    expect(alternatives).toEqual([
      { outcome: 'leave', because: 'a permanent child is always started again' },
      { outcome: 'auto-shutdown', because: 'a permanent child is always started again' },
      { outcome: 'escalate', because: '2 restarts are left within 5000 ms' },
    ])
  })

  it('when it gives up', async () => {
    const { text, alternatives } = await explained({ intensity: 1, children: a('transient') }, fail, 2)
    expect(text).toBe(
      "supervisor: 'a' ended (abnormal); the supervisor gives up, because restart 2 within 5000 ms is one more than its intensity of 1.",
    )
    expect(alternatives[0]).toEqual({ outcome: 'restart', because: '1 restarts within 5000 ms are allowed' })
  })

  it('when a child is left, and when a significant one ends the supervisor', async () => {
    expect(await explained({ children: a('transient') }, finish)).toEqual({
      text: "supervisor: 'a' ended (normal); it is left, because a transient child that did not fail is not started again.",
      alternatives: [
        { outcome: 'restart', because: 'a transient child that did not fail is not started again' },
        { outcome: 'auto-shutdown', because: 'the child is not significant' },
        { outcome: 'escalate', because: 'no restart was asked for, so none could be one too many' },
      ],
    })
    const { text } = await explained({ autoShutdown: 'any-significant', children: a('temporary', true) }, fail)
    expect(text).toContain(
      "the supervisor ends, because the child is significant and autoShutdown is 'any-significant'",
    )
  })
})
