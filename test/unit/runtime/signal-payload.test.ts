import { describe, expect, it } from 'vitest'
import { setup } from 'xstate'
import { z } from 'zod'
import { ValidationError } from '../../../src/errors.ts'
import { acceptedPayload } from '../../../src/runtime/signal-payload.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { definitionOf } from '../../../src/workflow/definition.ts'
import { workflowFromMachine } from '../../../src/workflow/own-machine.ts'

const built = definitionOf(
  defineWorkflow({ name: 'built', version: '1', signals: { count: z.coerce.number(), go: z.any() } }).stage(
    'a',
    () => 1,
  ),
)
const machine = setup({
  types: {} as { events: { type: 'GO'; by?: string } | { type: 'part.done' } },
  actions: { note: () => {} },
}).createMachine({ id: 'own', on: { GO: { actions: 'note' }, 'part.*': { actions: 'note' } } })
const own = definitionOf(workflowFromMachine({ name: 'own', version: '1', machine }))

describe('the payload of a signal', () => {
  it('is kept as the schema makes it', () => {
    expect(acceptedPayload(built, 'count', '5')).toBe('5')
    expect(acceptedPayload(built, 'go', undefined)).toBe('null')
  })

  it('of a machine of one’s own is the rest of its event, so it must be an object or absent', () => {
    expect(acceptedPayload(own, 'GO', undefined)).toBe('{}')
    expect(acceptedPayload(own, 'GO', { by: 'me' })).toBe('{"by":"me"}')
    expect(acceptedPayload(own, 'part.done', {})).toBe('{}')
    for (const lost of [5, 'text', [1], null, true]) {
      expect(() => acceptedPayload(own, 'GO', lost)).toThrow(/sent as \{ type, \.\.\.payload \}.* must be an object/)
    }
  })

  it.each(['xstate.stop', 'xstate.done.actor.work', 'nobody', ''])('is refused for the signal %j', name => {
    expect(() => acceptedPayload(own, name, {})).toThrow(ValidationError)
    expect(() => acceptedPayload(built, name, {})).toThrow(ValidationError)
  })
})
