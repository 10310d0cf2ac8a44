/** Whether the same seeds give the same journals in other processes, and on other versions of Node. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import type { NodeVersion } from './node-versions.ts'

export interface Comparison {
  readonly lines: readonly string[]
  /** Of all lines. */
  readonly hash: string
  /** By version: the lines that are others there. */
  readonly differences: readonly string[]
}

/** Compares two processes of this Node with one of each other version. */
export function compareJournals(seeds: number, others: readonly NodeVersion[]): Comparison {
  const first = journalsOn(process.execPath, seeds)
  const differences = [{ name: 'a second process', binary: process.execPath }, ...others].flatMap(
    ({ name, binary }) => {
      const lines = journalsOn(binary, seeds)
      return first.filter((line, index) => line !== lines[index]).map(line => `${name} differs at: ${line}`)
    },
  )
  return { lines: first, hash: createHash('sha256').update(first.join('\n')).digest('hex').slice(0, 16), differences }
}

function journalsOn(binary: string, seeds: number): readonly string[] {
  const script = ['--import', 'tsx', 'test/support/journals/print-journals.ts', `${seeds}`]
  const output = execFileSync(binary, script, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return output.split('\n').filter(Boolean)
}
