/**
 * The circuits of the last process, in a small file beside the store: replaced as a whole at each change of state, which
 * is rare. A file that cannot be read or written is as if there were none, since circuits find out again how things are.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { type Circuits, createCircuits } from '../../resilience/circuits.ts'
import { createResolvedCircuit } from '../../resilience/create-circuit.ts'
import type { Clock } from '../../time/clock.ts'
import { type CircuitShelf, type KeptCircuit, keptCircuit } from './circuits.ts'

/** What a store in memory has. */
export const noShelf: CircuitShelf = { read: () => new Map(), write() {} }

const version = 1

export function fileShelf(path: string): CircuitShelf {
  return {
    read() {
      try {
        const kept = JSON.parse(readFileSync(path, 'utf8')) as { version: number; circuits: KeptCircuit[] }
        const circuits = kept.version === version ? kept.circuits.filter(isReadable) : []
        return new Map(circuits.map(circuit => [circuit.name, circuit]))
      } catch {
        return new Map()
      }
    },
    write(circuits) {
      try {
        writeFileSync(`${path}.new`, JSON.stringify({ version, circuits }, null, 1))
        renameSync(`${path}.new`, path)
      } catch {
        // The next process finds out again which providers are down.
      }
    },
  }
}

/** Of an older version, or edited by hand, it may be none: then that circuit begins anew. */
function isReadable(kept: KeptCircuit): boolean {
  try {
    createResolvedCircuit(kept.name, kept.settings, { snapshot: kept }).stop()
    return Number.isFinite(kept.settings.failureThreshold)
  } catch {
    return false
  }
}

/** The circuits of a store that no process has, to be looked at and changed. */
export function shelvedCircuits(shelf: CircuitShelf, clock: Clock): Circuits {
  const circuits = createCircuits({
    clock,
    snapshotOf: name => kept.get(name),
    onEvent: report => {
      if (report.type === 'circuit.changed') shelf.write(circuits.list().map(keptCircuit))
    },
  })
  const kept = shelf.read()
  for (const { name, settings } of kept.values()) circuits.of(name, settings)
  return circuits
}
