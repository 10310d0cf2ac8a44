import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { projectRoot } from '../support/import-graph.ts'
import { durabilityProperties, supervisionProperties } from '../support/supervision-properties.ts'

const supervisorTests = join(projectRoot, 'test/property/supervisor')
const runtimeTests = join(projectRoot, 'test/property/runtime')

/** The names of the tests of a file that are written out in it. */
const namesIn = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/\bit\(\s*(['"])(property \d+, .*?[^\\])\1,/g)].map(match =>
    (match[2] as string).replaceAll("\\'", "'"),
  )

const namesOf = (folder: string): string[] =>
  readdirSync(folder)
    .filter(file => file.endsWith('.test.ts'))
    .flatMap(file => namesIn(join(folder, file)))

const names = namesOf(supervisorTests)

describe('the properties of supervision', () => {
  for (const half of ['pure', 'live']) {
    it(`have one ${half} test each, named by number and sentence`, () => {
      const expected = Object.entries(supervisionProperties).map(
        ([number, says]) => `property ${number}, ${half}: ${says}`,
      )
      const found = names.filter(name => name.includes(`, ${half}: `))
      expect(found.toSorted()).toEqual(expected.toSorted())
    })
  }

  it('have no name that says neither', () => {
    expect(names.filter(name => !/^property \d+, (pure|live): /.test(name))).toEqual([])
  })
})

describe('the properties of what survives a process', () => {
  it('have one test each on the runtime, named by number and sentence', () => {
    const expected = Object.entries(durabilityProperties).map(
      ([number, says]) => `property ${number}, durable: ${says}`,
    )
    expect(namesOf(runtimeTests).toSorted()).toEqual(expected.toSorted())
  })
})
