import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { type AnyActorRef, createMachine, fromCallback, setup } from 'xstate'
import type { ChildEnd } from '../../../src/supervisor.ts'
import { fail, finish, propertyRuns, propertyTimeoutMs, started, worker } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })
const numRuns = propertyRuns
const microtasks = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve()
}

describe('watching', () => {
  it('property 47, live: a watcher gets exactly one end notice, also when it watches late', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('watch', 'fail', 'finish', 'terminate', 'restart', 'advance', 'throwing'), {
          maxLength: 20,
        }),
        async commands => {
          const { sup, clock } = await started({ intensity: 100, children: [{ id: 'a', logic: worker }] })
          const ref = sup.child('a')
          const watches: { expected: number; notices: ChildEnd[] }[] = []
          const isRunning = (): boolean => sup.whichChildren()[0]?.status === 'running'
          for (const command of commands) {
            if (command === 'watch') {
              const notices: ChildEnd[] = []
              watches.push({ expected: ref.incarnation, notices })
              ref.watch(end => notices.push(end))
              expect(notices).toEqual([])
            } else if (command === 'throwing') {
              ref.watch(() => {
                throw new Error('a watcher that throws')
              })
            } else if (command === 'advance') await clock.advance(0)
            else if (command === 'terminate' || command === 'restart') await sup[`${command}Child`]('a').catch(() => {})
            else if (isRunning()) (command === 'fail' ? fail : finish)(sup, 'a')
          }
          await sup.stop()
          await microtasks()
          for (const { expected, notices } of watches) {
            expect(notices.map(end => end.incarnation)).toEqual([expected])
          }
        },
      ),
      { numRuns },
    ))

  it('tells nothing to whoever stopped watching, and that nothing was ever there', async () => {
    const { sup } = await started({ children: [{ id: 'a', logic: () => 'ignore' }] })
    const notices: unknown[] = []
    sup.child('a').watch(end => notices.push(end))
    sup.child('a').watch(end => notices.push(end))()
    await microtasks()
    expect(notices).toEqual([{ id: 'a', incarnation: 0, reason: 'not-started' }])
  })

  it('property 49, live: an unhandled end of a watched actor fails the watcher where a pact was asked for', () => {
    const handles = setup({}).createMachine({
      on: { WATCHED_ENDED: '.told' },
      initial: 'idle',
      states: { idle: {}, told: {} },
    })
    const ends = fc.constantFrom('fail', 'finish', 'terminate')
    return fc.assert(
      fc.asyncProperty(fc.boolean(), fc.boolean(), fc.boolean(), ends, async (asksForPact, isHandled, isLate, how) => {
        const { sup, clock, events } = await started({
          children: [
            { id: 'watched', logic: worker, restart: 'temporary' },
            { id: 'watcher', logic: isHandled ? handles : worker },
          ],
        })
        const watched = sup.child('watched')
        const watcher = sup.child('watcher')
        if (asksForPact && !isLate) watcher.follow(watched)
        if (how === 'terminate') await sup.terminateChild('watched')
        else (how === 'fail' ? fail : finish)(sup, 'watched')
        if (asksForPact && isLate) watcher.follow(watched)
        await clock.advance(0)
        const failures = events.filter(event => event.type === 'child.exited' && event.id === 'watcher')
        const isFailed = asksForPact && !isHandled
        expect(failures).toMatchObject(isFailed ? [{ reason: 'abnormal', error: { code: 'watched_ended' } }] : [])
        expect(watcher.incarnation).toBe(isFailed ? 2 : 1)
        if (isHandled) expect(watcher.getSnapshot()).toMatchObject({ value: asksForPact ? 'told' : 'idle' })
      }),
      { numRuns },
    )
  })

  it('a pact is over with either incarnation, and a supervisor makes none', async () => {
    const children = [
      { id: 'watched', logic: worker },
      { id: 'watcher', logic: worker },
      { id: 'n', logic: { children: [] } },
    ]
    const { sup, clock } = await started({ children, intensity: 10 })
    sup.child('watcher').follow(sup.child('watched'))
    fail(sup, 'watcher')
    await clock.advance(0)
    fail(sup, 'watched')
    await clock.advance(0)
    expect(sup.child('watcher').incarnation).toBe(2)
    expect(() => sup.child('n').follow(sup.child('watched'))).toThrow('cannot follow')
  })
})

describe('orphans', () => {
  it('property 40, live: a parent that errors leaves no orphan', () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom('throws', 'terminate', 'stop', 'finish'),
        async (depth, width, how) => {
          let alive = 0
          const leaf = fromCallback(() => {
            alive++
            return () => {
              alive--
            }
          })
          const nest = (level: number): ReturnType<typeof createMachine> =>
            createMachine({
              invoke: Array.from({ length: width }, (_, n) => ({
                id: `c${n}`,
                src: level === 0 ? leaf : nest(level - 1),
              })),
              initial: 'work',
              on: {
                FAIL: {
                  actions: () => {
                    throw new Error('the parent throws')
                  },
                },
                FINISH: '.over',
              },
              states: { work: {}, over: { type: 'final' } },
            } as never)
          const { sup, clock } = await started({ intensity: 10, children: [{ id: 'a', logic: nest(depth - 1) }] })
          const before = width ** depth
          expect(alive).toBe(before)
          const old: AnyActorRef[] = Object.values(
            (sup.child('a').getSnapshot() as never as { children: never }).children,
          )
          if (how === 'terminate') await sup.terminateChild('a')
          else if (how === 'stop') await sup.stop()
          else (how === 'throws' ? fail : finish)(sup, 'a')
          expect(alive).toBe(0)
          expect(old.every(actor => actor.getSnapshot().status !== 'active')).toBe(true)
          await clock.advance(0)
          expect(alive).toBe(how === 'terminate' || how === 'stop' ? 0 : before)
        },
      ),
      { numRuns: Math.min(numRuns, 200) },
    ))
})
