import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { checkLive } from '../../support/check-property.ts'
import { fail, propertyTimeoutMs, started, worker } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

type MailStep = 'send' | 'fail' | 'advance' | 'terminate' | 'restart'
const mailSteps = fc.array(
  fc.constantFrom<MailStep>('send', 'send', 'send', 'fail', 'advance', 'terminate', 'restart'),
  { maxLength: 40 },
)

/** Mail to one child over a random life: what it saw and in which incarnation, and what became a dead letter. */
async function mailed(list: readonly MailStep[]) {
  const seen: number[] = []
  const seenBy: { incarnation: number; current: number }[] = []
  const staged = await started({
    intensity: 100,
    backoff: { kind: 'fixed', base: 10 },
    children: [
      {
        id: 'a',
        logic: worker.provide({
          actions: {
            note: ({ event, self }) => {
              if (event.type === 'NOTE') seen.push(event.what as number)
              seenBy.push({ incarnation: Number(self.id.split('#')[1]), current: ref.incarnation })
            },
          },
        }),
      },
    ],
  })
  const { sup, clock, events } = staged
  const ref = sup.child('a')
  const counts: ReturnType<typeof sup.mailCounts>[] = []
  let sent = 0
  for (const step of list) {
    if (step === 'send') ref.send({ type: 'NOTE', what: sent++ } as never)
    else if (step === 'fail') ref.send({ type: 'FAIL' } as never)
    else if (step === 'advance') await clock.advance(6)
    else await sup[`${step}Child`]('a').catch(() => {})
    counts.push(sup.mailCounts())
  }
  await sup.stop()
  const dead = events.flatMap(event =>
    event.type === 'dead-letter' && event.event.type === 'NOTE'
      ? [(event.event as unknown as { what: number }).what]
      : [],
  )
  return { seen, seenBy, dead, sent, counts, ref, sup }
}

describe('mail to live children', () => {
  it('property 43, live: each accepted event is processed once, stashed, or dead-lettered, and the counts balance', () =>
    checkLive<[MailStep[]]>(mailSteps, async list => {
      const { seen, dead, sent, counts, sup } = await mailed(list)
      for (const { accepted, processed, stashed, deadLettered } of counts) {
        expect(accepted).toBe(processed + stashed + deadLettered)
      }
      expect(sup.mailCounts().stashed).toBe(0)
      expect([...seen, ...dead].sort((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, index) => index))
    }))

  it('property 44, live: order per sender survives a restart', () =>
    checkLive<[MailStep[]]>(mailSteps, async list => {
      const { seen } = await mailed(list)
      expect(seen).toEqual([...seen].sort((a, b) => a - b))
    }))

  it('property 45, live: the stash is bounded and its overflow policy is kept', () =>
    checkLive<[number]>(fc.integer({ min: 995, max: 1010 }), async count => {
      const { seen, dead } = await mailed([
        'fail',
        ...Array.from({ length: count }, () => 'send' as const),
        'advance',
        'advance',
      ])
      expect(seen).toEqual(Array.from({ length: Math.min(count, 1000) }, (_, n) => n))
      expect(dead).toEqual(Array.from({ length: Math.max(0, count - 1000) }, (_, n) => 1000 + n))
    }))

  it('property 48, live: a ref stays valid over a restart, and messages of an old incarnation are refused', () =>
    checkLive<[MailStep[]]>(mailSteps, async list => {
      const { seenBy, ref, sup } = await mailed(list)
      for (const { incarnation, current } of seenBy) expect(incarnation).toBe(current)
      expect(ref.incarnation).toBe(sup.whichChildren()[0]?.incarnation)
    }))

  it('property 46, live: a poison event is not delivered again', () =>
    checkLive<[number]>(fc.integer({ min: 1, max: 5 }), async poison => {
      const { sup, clock } = await started({ intensity: 10, children: [{ id: 'a', logic: worker }] })
      for (let n = 0; n < poison; n++) fail(sup, 'a')
      await clock.advance(0)
      expect(sup.child('a').incarnation).toBe(poison + 1)
      expect(sup.mailCounts()).toEqual({ accepted: poison, processed: poison, stashed: 0, deadLettered: 0 })
    }))
})
