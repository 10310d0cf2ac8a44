import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createCliPlace } from '../support/cli.ts'

let coverage: string

beforeEach(() => {
  coverage = mkdtempSync(join(tmpdir(), 'hf-coverage-'))
})

afterEach(() => rmSync(coverage, { recursive: true, force: true }))

/** The files that a command loads, as V8 has seen them. */
async function loadedBy(...args: readonly string[]): Promise<string[]> {
  const place = createCliPlace({}, { NODE_V8_COVERAGE: coverage })
  await place.run(...args)
  place.remove()
  return readdirSync(coverage).flatMap(file =>
    (JSON.parse(readFileSync(join(coverage, file), 'utf8')) as { result: { url: string }[] }).result.map(
      ({ url }) => url,
    ),
  )
}

describe('what a command loads before it begins', () => {
  it.each([['--help'], ['--version'], ['rnu']])(
    'is nothing of the runtime for what is only told: %s',
    async (...args) => {
      const loaded = await loadedBy(...args)
      expect(loaded.filter(url => url.includes('/src/cli/program'))).toHaveLength(1)
      const heavy = /\/src\/(?:runtime|store|bundled)\/|node_modules\/(?:zod|xstate|pino)\//
      expect(loaded.filter(url => heavy.test(url))).toEqual([])
    },
  )

  it('is no log library, translator, parser of YAML or workflow that ships for a command that reads', async () => {
    const loaded = await loadedBy('runs', 'list')
    expect(loaded.filter(url => url.includes('/src/runtime/client'))).toHaveLength(1)
    expect(
      loaded.filter(url => /node_modules\/(?:pino|@secretlint|tsx|yaml)\/|\/src\/bundled\/[^/]+\//.test(url)),
    ).toEqual([])
  })
})
