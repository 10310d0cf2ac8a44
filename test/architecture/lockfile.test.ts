import { describe, expect, it } from 'vitest'
import { readSource } from '../support/import-graph.ts'

interface LockedPackage {
  readonly resolved?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const { packages } = JSON.parse(readSource('package-lock.json')) as {
  packages: Readonly<Record<string, LockedPackage>>
}

/** Where Node would find a package that is asked for from another one: nested first, then upwards. */
function placesOf(name: string, from: string): string[] {
  const own = `${from === '' ? '' : `${from}/`}node_modules/${name}`
  if (from === '') return [own]
  const outer = from.lastIndexOf('/node_modules/')
  return [own, ...placesOf(name, outer < 0 ? '' : from.slice(0, outer))]
}

describe('package-lock.json', () => {
  it('has the builds of every platform, without which npm ci refuses it', () => {
    const missing = Object.entries(packages).flatMap(([from, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(name => !placesOf(name, from).some(place => place in packages)),
    )
    expect(missing).toEqual([])
  })

  it('names no address to download from, so that every registry serves', () => {
    expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([])
  })
})
