import { describe, expect, it, vi } from 'vitest'
import { type ChildSpec, createSupervisor, type SupervisorEvent, type SupervisorSpec } from '../../../src/supervisor.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { checkLive } from '../../support/check-property.ts'
import { addedSpec, apply, type Command, commands, leafOf, specs } from '../../support/pure-arbitraries.ts'
import { type PureChildSpec, type PureSpec, PureSupervision } from '../../support/pure-supervision.ts'
import { fail, finish, lineOf, propertyTimeoutMs, stillborn, worker } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs })

function liveSpec({ periodMs, children, backoff: _, ...rest }: PureSpec): SupervisorSpec {
  return { ...rest, period: periodMs, children: children.map(liveChild) }
}

function liveChild({ id, restart, significant, attempts = ['ok'], nested }: PureChildSpec): ChildSpec {
  let attempt = 0
  const logics = { ok: worker, fail: stillborn, ignore: 'ignore' } as const
  const logic = nested
    ? liveSpec(nested)
    : () => logics[attempts[attempt++ % attempts.length] as 'ok' | 'fail' | 'ignore'] as typeof worker
  return { id, restart, significant, logic }
}

/** Without delays, groups do not overlap: what becomes of those that do is compared with OTP. */
function atOnce({ children, ...spec }: PureSpec): PureSpec {
  const below = children.map(child => (child.nested ? { ...child, nested: atOnce(child.nested) } : child))
  return { ...spec, backoff: null, children: below }
}

describe('a live supervisor', () => {
  const agrees = async (spec: PureSpec, list: readonly Command[]): Promise<void> => {
    const clock = virtualClock(0)
    const events: SupervisorEvent[] = []
    const sup = createSupervisor({ ...liveSpec(spec), clock, onEvent: event => events.push(event) })
    const pure = new PureSupervision(spec)
    await sup.start()
    pure.start()
    for (const command of list) {
      if (!pure.isRunning) break
      const leaf = command.kind === 'fail' || command.kind === 'finish' ? leafOf(pure, command.id) : undefined
      apply(pure, command)
      if (command.kind === 'advance') await clock.advance(command.ms)
      else if (command.kind === 'add') await sup.startChild(liveChild(addedSpec(command.id))).catch(() => {})
      else if (command.kind === 'terminate') await sup.terminateChild(command.id).catch(() => {})
      else if (command.kind === 'restart') await sup.restartChild(command.id).catch(() => {})
      else if (leaf) (command.kind === 'fail' ? fail : finish)(sup, `${leaf.whose.path}${leaf.id}`)
      await clock.advance(0)
      pure.advance(0)
    }
    await sup.stop()
    if (pure.isRunning) pure.stop()
    const said = events.map(lineOf).filter(line => /^[+-]/.test(line))
    expect(said).toEqual(pure.world.lines.filter(line => /^[+-]/.test(line)))
    expect((await sup.stopped).reason).toBe(pure.context.outcome)
  }
  const withoutBackoff = (depth: number) => specs(depth).map(atOnce)

  it('does what the machine decides under the reference runtime, in a flat tree', () =>
    checkLive<[PureSpec, Command[]]>(withoutBackoff(0), commands, agrees))

  it('does so in nested trees', () => checkLive<[PureSpec, Command[]]>(withoutBackoff(2), commands, agrees))
})
