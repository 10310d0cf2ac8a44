import { describe, expect, it } from 'vitest'
import { assign, setup } from 'xstate'
import { type ChildRef, OptionsError } from '../../../src/supervisor.ts'
import { fail, finish, started, worker } from '../../support/supervised-worker.ts'

const one = { children: [{ id: 'a', logic: worker }] }
const note = (ref: ChildRef, what: unknown): void => ref.send({ type: 'NOTE', what })

describe('refs and mail', () => {
  it('stay valid over a restart, and what was sent meanwhile arrives in order', async () => {
    const { sup, clock } = await started(one)
    const ref = sup.child('a')
    fail(sup, 'a')
    for (const what of [1, 2, 3]) note(ref, what)
    expect(sup.mailCounts()).toEqual({ accepted: 4, processed: 1, stashed: 3, deadLettered: 0 })
    await clock.advance(0)
    expect(ref.getSnapshot().context.seen).toEqual([1, 2, 3])
    expect(ref.incarnation).toBe(2)
    expect(sup.mailCounts()).toEqual({ accepted: 4, processed: 4, stashed: 0, deadLettered: 0 })
  })

  it('make a dead letter of what is sent to a stopped child', async () => {
    const { sup, events } = await started(one)
    await sup.terminateChild('a')
    note(sup.child('a'), 1)
    expect(events.at(-1)).toEqual({
      type: 'dead-letter',
      id: 'a',
      incarnation: 1,
      event: { type: 'NOTE', what: 1 },
      reason: 'stopped',
    })
  })

  it('make dead letters of the stash when the restart does not come', async () => {
    const { sup, lines } = await started({ ...one, backoff: { kind: 'fixed', base: 1000 } })
    fail(sup, 'a')
    note(sup.child('a'), 1)
    await sup.terminateChild('a')
    expect(lines().at(-1)).toBe('dead a NOTE stopped')
    expect(sup.mailCounts()).toEqual({ accepted: 2, processed: 1, stashed: 0, deadLettered: 1 })
  })

  it('keep the oldest thousand of a stash', async () => {
    const { sup, clock } = await started(one)
    fail(sup, 'a')
    for (let n = 0; n < 1003; n++) note(sup.child('a'), n)
    expect(sup.mailCounts()).toMatchObject({ stashed: 1000, deadLettered: 3 })
    await clock.advance(0)
    const { seen } = sup.child('a').getSnapshot().context
    expect([seen.length, seen[0], seen[999]]).toEqual([1000, 0, 999])
  })

  it('never deliver again the event that failed a child', async () => {
    const { sup, clock } = await started(one)
    fail(sup, 'a')
    fail(sup, 'a')
    note(sup.child('a'), 'after')
    await clock.advance(0)
    expect(sup.child('a').incarnation).toBe(3)
    expect(sup.child('a').getSnapshot().context.seen).toEqual(['after'])
  })

  it('lose nothing that a child is sent while it handles the event that fails it', async () => {
    let sendMore = (): void => {}
    const fragile = setup({
      types: {} as { context: { seen: unknown[] }; events: { type: 'NOTE'; what: unknown } | { type: 'FAIL' } },
      actions: {
        note: assign({
          seen: ({ context, event }) => (event.type === 'NOTE' ? [...context.seen, event.what] : context.seen),
        }),
        sendAndCrash: () => {
          sendMore()
          throw new Error('after it was sent more')
        },
      },
    }).createMachine({ context: { seen: [] }, on: { NOTE: { actions: 'note' }, FAIL: { actions: 'sendAndCrash' } } })
    const { sup, clock } = await started({ children: [{ id: 'a', logic: fragile }] })
    sendMore = () => note(sup.child('a'), 'more')
    fail(sup, 'a')
    await clock.advance(0)
    expect(sup.child('a').getSnapshot().context.seen).toEqual(['more'])
  })

  it('refuse what is no event', async () => {
    const { sup } = await started(one)
    expect(() => sup.child('a').send('NOTE' as never)).toThrow(OptionsError)
    expect(sup.mailCounts().accepted).toBe(0)
  })

  it('work when the method is taken from the ref', async () => {
    const { sup } = await started(one)
    const { send, getSnapshot } = sup.child('a')
    send({ type: 'NOTE', what: 1 })
    expect(getSnapshot().context.seen).toEqual([1])
  })

  it('of a child that is unknown are refused', async () => {
    const { sup } = await started(one)
    expect(() => sup.child('x')).toThrow(expect.objectContaining({ code: 'not_found' }))
    expect(() => sup.child('a/x')).toThrow(expect.objectContaining({ code: 'not_found' }))
  })

  it('of a temporary child that has gone make dead letters', async () => {
    const { sup, lines } = await started({ children: [{ id: 'a', logic: worker, restart: 'temporary' }] })
    const ref = sup.child('a')
    finish(sup, 'a')
    note(ref, 1)
    expect(lines().at(-1)).toBe('dead a NOTE stopped')
  })
})

describe('dead letters', () => {
  it('are kept with their path, and can be sent again or discarded', async () => {
    const { sup, clock } = await started({
      children: [{ id: 'n', logic: { children: [{ id: 'a', logic: worker, restart: 'transient' }] } }],
    })
    finish(sup, 'n/a')
    for (const what of [1, 2]) sup.child('n/a').send({ type: 'NOTE', what })
    await clock.advance(5)
    expect(sup.deadLetters.list()).toMatchObject([
      { number: 1, path: 'n/a', incarnation: 1, reason: 'stopped', event: { what: 1 }, at: clock.now() - 5 },
      { number: 2, path: 'n/a', event: { what: 2 } },
    ])
    await sup.supervisor('n').restartChild('a')
    sup.deadLetters.resend(2)
    sup.supervisor('n').deadLetters.discard(1)
    expect(sup.child('n/a').getSnapshot().context).toEqual({ seen: [2] })
    expect(sup.deadLetters.list()).toEqual([])
    expect(sup.mailCounts()).toEqual({ accepted: 4, processed: 2, stashed: 0, deadLettered: 2 })
    expect(() => sup.deadLetters.resend(2)).toThrow('no dead letter 2')
  })

  it('are kept when there is nobody to send them to again', async () => {
    const { sup } = await started({ children: [{ id: 'a', logic: worker, restart: 'temporary' }] })
    const ref = sup.child('a')
    finish(sup, 'a')
    ref.send({ type: 'NOTE', what: 1 })
    expect(() => sup.deadLetters.resend(1)).toThrow("no child 'a'")
    expect(sup.deadLetters.list()).toHaveLength(1)
  })

  it('go beyond a thousand, and are counted', async () => {
    const { sup } = await started({ children: [{ id: 'a', logic: worker, restart: 'transient' }] })
    finish(sup, 'a')
    for (let what = 1; what <= 1003; what++) sup.child('a').send({ type: 'NOTE', what })
    expect(sup.deadLetters.list().at(0)?.number).toBe(4)
    expect(sup.deadLetters.dropped).toBe(3)
  })
})
