/** Every machine of `machines/`, found by its file: its module, and what starts it. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { AnyStateMachine } from 'xstate'
import { projectRoot } from './import-graph.ts'

export interface MachineModule {
  /** `machines/circuit.machine.ts` */
  readonly file: string
  readonly machine: AnyStateMachine
  readonly exports: Readonly<Record<string, unknown>>
}

export async function readMachines(): Promise<MachineModule[]> {
  const names = readdirSync(join(projectRoot, 'machines')).filter(name => name.endsWith('.machine.ts'))
  return Promise.all(
    names.sort().map(async name => {
      const exports = (await import(`../../machines/${name.slice(0, -3)}.ts`)) as Record<string, unknown>
      const machines = Object.values(exports).filter(isMachine)
      if (machines.length !== 1) throw new Error(`machines/${name} exports ${machines.length} machines and not one`)
      return { file: `machines/${name}`, machine: machines[0] as AnyStateMachine, exports }
    }),
  )
}

const isMachine = (value: unknown): value is AnyStateMachine =>
  value !== null && typeof value === 'object' && 'getPersistedSnapshot' in value && 'root' in value
