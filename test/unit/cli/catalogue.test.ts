import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { catalogue } from '../../../src/cli/catalogue.ts'

const entries = catalogue.flatMap(group => group.entries)

describe('the catalogue of commands', () => {
  it.each(entries.map(entry => [entry.name, entry] as const))('has %s, which declares itself', async (name, entry) => {
    const program = new Command()
    ;(await entry.load())(program, () => async () => {})
    const command = program.commands.find(other => other.name() === name)
    expect(command?.description()).toMatch(/\w/)
    expect(entry.summary.length, 'it fits on a line of 80 columns').toBeLessThan(57)
  })

  it('names each command once', () => {
    const names = entries.map(({ name }) => name)
    expect(names).toEqual([...new Set(names)])
  })
})
