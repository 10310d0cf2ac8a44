import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { anthropic } from '../../../src/providers/anthropic.ts'
import { openaiCompatible } from '../../../src/providers/openai-compatible.ts'
import { classifyError } from '../../../src/resilience/classify.ts'
import type { ServerScriptEntry } from '../../../src/testing/fake-provider-server-script.ts'
import { contextOf, failureOf, hello, servers } from '../../support/model-calls.ts'

interface Case {
  readonly id: string
  readonly provider: string
  readonly status: number | null
  readonly headers: Record<string, string>
  readonly body: unknown
}

const read = (file: string): Case[] =>
  JSON.parse(readFileSync(new URL(`../../conformance/${file}`, import.meta.url), 'utf8')) as Case[]
const cases = [...read('provider-errors.json'), ...read('more-provider-errors.json')].filter(
  ({ status }) => status !== null && status >= 400,
)
const serve = servers()

describe('the failures of the corpus, over a real connection', () => {
  it.each(['openai', 'anthropic'])(
    'keep their kind and their hint for a provider that speaks like %s',
    async dialect => {
      const script = cases.map(({ status, headers, body }) => ({ status, headers, body }) as ServerScriptEntry)
      const server = await serve(script)
      for (const known of cases) {
        const { id, provider } = known
        const asked =
          dialect === 'openai'
            ? openaiCompatible({ id: provider, baseURL: server.url, models: ['m'] })
            : anthropic({ id: provider, baseURL: server.url, models: ['m'] })
        const { kind, transient, retryAfterMs } = await failureOf(asked.generate(hello, contextOf()), provider)
        const direct = classifyError(known, { provider })
        const expected = { id, kind: direct.kind, transient: direct.transient }
        expect({ id, kind, transient }).toEqual(expected)
        // Dates count from the answer's own, which the server gives anew: there the hint is another.
        const dated = Object.keys(known.headers).some(name => /reset|date/i.test(name))
        if (!dated) expect({ id, retryAfterMs }).toEqual({ id, retryAfterMs: direct.retryAfterMs })
      }
    },
  )
})
