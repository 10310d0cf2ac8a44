import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { projectRoot, readSource } from '../support/import-graph.ts'

const documents = ['.', 'docs', 'docs/adr', 'machines'].flatMap(directory =>
  readdirSync(join(projectRoot, directory))
    .filter(name => name.endsWith('.md'))
    .map(name => join(directory, name)),
)

const exists = (path: string): boolean => existsSync(join(projectRoot, path))

describe.each(documents)('%s', file => {
  const text = readSource(file)

  it('links only to what is there', () => {
    const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, link]) => link as string)
    const dead = links.filter(link => !/^https?:/.test(link) && !exists(join(dirname(file), link)))
    expect(dead).toEqual([])
  })

  it('names only tests and sources that are there', () => {
    const named = [...text.matchAll(/`((?:[\w-]+\/)+[\w.-]+\.ts)`/g)].map(([, path]) => path as string)
    const missing = named.filter(path => !exists(path) && !exists(join('test', path)))
    expect(missing).toEqual([])
  })
})

describe('the workflow in README.md', () => {
  it('is examples/digest.ts, which a test runs', () => {
    const example = readSource('examples/digest.ts')
    expect(readSource('README.md')).toContain(`\n${example.slice(example.indexOf('import {'))}`)
  })
})
