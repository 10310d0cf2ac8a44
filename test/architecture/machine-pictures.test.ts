import { describe, expect, it } from 'vitest'
import { type AnyStateMachine, setup } from 'xstate'
import { drawMachine } from '../support/draw-machine.ts'
import { readSource } from '../support/import-graph.ts'
import { machinePictures, picturesFile } from '../support/machine-pictures.ts'

const lamp = setup({
  actions: { count: () => {}, warn: () => {} },
  guards: { isWarm: () => true },
}).createMachine({
  id: 'lamp',
  initial: 'dark-room',
  states: {
    'dark-room': {
      on: { SWITCH: { target: 'lit', guard: 'isWarm', actions: ['count', 'warn'] }, COUNT: { actions: 'count' } },
    },
    lit: {
      initial: 'dim',
      on: { BRIGHTEN: '.bright', BREAK: 'broken' },
      states: { dim: {}, bright: { always: { guard: 'isWarm', target: 'dim' } } },
    },
    broken: { type: 'final', entry: 'warn', exit: 'count' },
  },
})

describe('the drawing of a machine', () => {
  it('shows states inside states, and transitions with their guards and actions', () => {
    expect(drawMachine(lamp as unknown as AnyStateMachine)).toBe(`stateDiagram-v2
  [*] --> dark_room
  state "dark-room" as dark_room
  dark_room --> lit : SWITCH [isWarm] / count, warn
  dark_room --> dark_room : COUNT / count
  state "lit" as lit
  state lit {
    [*] --> lit_dim
    state "dim" as lit_dim
    state "bright" as lit_bright
    lit_bright --> lit_dim : [isWarm]
    [*] --> lit_bright : BRIGHTEN
  }
  lit --> broken : BREAK
  state "broken · on entry warn · on exit count" as broken
  broken --> [*]`)
  })
})

describe('machines/README.md', () => {
  it('shows the machines as they are; npm run draw makes it anew', async () => {
    expect(readSource(picturesFile)).toBe(await machinePictures())
  })
})
