import { describe, expect, it } from 'vitest'
import { treeLines } from '../../../src/cli/print-tree.ts'

describe('the supervision tree', () => {
  it('is drawn with what each actor is and how it stands', () => {
    const stage = {
      id: 'a',
      type: 'stage',
      status: 'active',
      state: { running: 'working' },
      attempt: 2,
      incarnation: 3,
    } as const
    const run = { id: 'run:r1', type: 'run', status: 'running', state: { open: 'running' } } as const
    const lines = treeLines({
      id: 'root',
      type: 'supervisor',
      status: 'running',
      children: [
        {
          id: 'runs',
          type: 'supervisor',
          status: 'running',
          children: [{ ...run, children: [{ ...stage, children: [] }] }],
        },
        { id: 'store', type: 'service', status: 'running', state: { a: {}, b: 'on' }, incarnation: 1, children: [] },
      ],
    })
    expect(lines).toEqual([
      'supervisor root  running',
      '├─ supervisor runs  running',
      '│  └─ run r1  open.running',
      '│     └─ stage a  running.working, attempt 2, incarnation 3',
      '└─ service store  { a, b.on }',
    ])
  })
})
