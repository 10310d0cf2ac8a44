import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { codeReview, estimateReview } from '../../../src/bundled/code-review/code-review.ts'
import { develop } from '../../../src/bundled/develop/develop.ts'
import { writeInto } from '../../../src/bundled/develop/write-files.ts'
import { summarize } from '../../../src/bundled/summarize/summarize.ts'
import { offline } from '../../../src/providers/offline.ts'
import { openaiCompatible } from '../../../src/providers/openai-compatible.ts'
import { createRuntime } from '../../../src/runtime/create-runtime.ts'
import type { ServerReplyFunction } from '../../../src/testing/fake-provider-server-script.ts'
import type { AnyWorkflow } from '../../../src/workflow/definition.ts'
import { servers } from '../../support/model-calls.ts'

const serve = servers()
let place = ''
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'holdfast-bundled-'))
})
afterEach(() => rmSync(place, { recursive: true, force: true }))

const put = (path: string, text: string): void => {
  mkdirSync(join(place, path, '..'), { recursive: true })
  writeFileSync(join(place, path), text)
}

async function runWith(workflow: AnyWorkflow, input: unknown, reply?: ServerReplyFunction) {
  const server = reply && (await serve(reply))
  const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 1 }
  const provider =
    server &&
    openaiCompatible({ id: 'fake', baseURL: `${server.url}/v1`, models: [{ id: 'fake', tier: 'capable', price }] })
  const runtime = await createRuntime({
    store: ':memory:',
    logger: false,
    providers: [...(provider ? [provider] : []), offline()],
  })
  const result = await (await runtime.start(workflow as never, input as never)).result()
  await runtime.close()
  return { result: result as typeof result & { output: never }, calls: server?.calls ?? [] }
}

const systemOf = (body: Readonly<Record<string, unknown>>): string =>
  (body.messages as { role: string; content: string }[]).find(({ role }) => role === 'system')?.content ?? ''
const promptOf = (body: Readonly<Record<string, unknown>>): string =>
  (body.messages as { role: string; content: string }[]).find(({ role }) => role === 'user')?.content ?? ''

const reviewer: ServerReplyFunction = ({ body }) => {
  const system = systemOf(body)
  if (system.startsWith('You review')) {
    const line = Number(/^(\d+) {2}.*eval/m.exec(promptOf(body))?.[1] ?? 0)
    const findings = [{ line, severity: 'error', message: 'evaluates what it is given' }]
    return { object: { findings: line > 0 ? [...findings, { ...findings[0], line: 99_999 }] : [] } }
  }
  if (system.startsWith('From the findings')) {
    return { object: { predictions: [{ file: 'a.js', risk: 'high', reason: 'it evaluates' }] } }
  }
  return 'One file evaluates what it is given.'
}

describe('code-review', () => {
  it('reads every piece, predicts, sums up, and makes the same report of the same answers', async () => {
    put('a.js', `const x = 1\n${'// line\n'.repeat(350)}eval(x)\n`)
    put('b.py', 'print(1)\n')
    put('notes.md', 'no source')
    const first = await runWith(codeReview, { path: place }, reviewer)
    expect(first.result).toMatchObject({
      success: true,
      output: {
        findings: [{ file: 'a.js', line: 352, rule: 'review', severity: 'error' }],
        predictions: [{ file: 'a.js', risk: 'high' }],
        summary: 'One file evaluates what it is given.',
        reviewed: 3,
        lost: 0,
      },
    })
    expect(first.calls).toHaveLength(5)
    const second = await runWith(codeReview, { path: place }, reviewer)
    const hashOf = ({ result }: typeof first) => (result.output as { reportHash: string }).reportHash
    expect(hashOf(second)).toBe(hashOf(first))
  })

  it('sends no secret', async () => {
    put('a.js', "const password = 'hunter2hunter2'\n")
    const { calls } = await runWith(codeReview, { path: place }, reviewer)
    expect(JSON.stringify(calls)).not.toContain('hunter2')
  })

  it('loses a piece that cannot be reviewed, and says so', async () => {
    put('a.js', 'eval(1)\n')
    put('b.js', 'eval(2)\n')
    const { result } = await runWith(codeReview, { path: place }, (call, number) =>
      promptOf(call.body).includes('b.js:') || promptOf(call.body).includes('of b.js')
        ? { status: 400, body: { error: { message: 'no', type: 'invalid_request_error' } } }
        : reviewer(call, number),
    )
    expect(result).toMatchObject({ success: true, output: { lost: 1, reviewed: 1 } })
    expect(result.degraded.map(({ stage }) => stage)).toContain('review[b.js:1]')
  })

  it('needs a model, and says how to configure one', async () => {
    put('a.js', 'eval(1)\n')
    const { result } = await runWith(codeReview, { path: place })
    expect(result).toMatchObject({ success: false, error: { kind: 'no_provider' } })
    expect(!result.success && result.error.message).toMatch(/^code-review needs a model.*OPENAI_API_KEY/)
  })

  it('tells what it would send before it runs', async () => {
    put('a.js', 'x'.repeat(4000))
    expect(await estimateReview({ path: place })).toMatchObject({ what: '1 file in 1 chunk', outputTokens: 300 })
    expect(await estimateReview({ path: 1 })).toBeUndefined()
  })
})

describe('summarize', () => {
  it('works without a model, by extraction', async () => {
    put('README.md', '# Boats\n\nBoats float on water. They carry people. Some boats are large.\n')
    const { result } = await runWith(summarize, { path: place })
    expect(result).toMatchObject({ success: true, output: { parts: 1 } })
    expect((result.output as { summary: string }).summary).toContain('Boats float')
  })

  it('summarises a long text in parts, and the parts once more', async () => {
    const { result, calls } = await runWith(summarize, { text: 'A sentence of it.\n\n'.repeat(3000) }, ({ body }) =>
      systemOf(body).startsWith('These are summaries') ? 'the whole' : 'a part',
    )
    expect(result).toMatchObject({ success: true, output: { summary: 'the whole', parts: 3 } })
    expect(calls).toHaveLength(4)
  })

  it('refuses both a text and files, and neither', async () => {
    await expect(runWith(summarize, { text: 'a', path: '.' })).rejects.toThrow(/either text, or path or files/)
    await expect(runWith(summarize, {})).rejects.toThrow(/either text, or path or files/)
  })
})

describe('develop', () => {
  const maker =
    (path: string): ServerReplyFunction =>
    ({ body }) => {
      const system = systemOf(body)
      if (system.startsWith('Implement')) return { object: { files: [{ path, content: 'export const one = 1\n' }] } }
      if (system.startsWith('Write tests')) return { object: { files: [{ path: 'test/one.js', content: 'ok()\n' }] } }
      return 'In one file.'
    }

  it('makes an approach, an implementation and tests, and writes the files', async () => {
    const target = join(place, 'new')
    const { result } = await runWith(develop, { task: 'one', path: target }, maker('src/one.js'))
    expect(result).toMatchObject({
      success: true,
      output: {
        approach: 'In one file.',
        implementation: [{ path: 'src/one.js' }],
        tests: [{ path: 'test/one.js' }],
        files: ['src/one.js', 'test/one.js'],
      },
    })
    expect(readFileSync(join(target, 'src/one.js'), 'utf8')).toBe('export const one = 1\n')
  })

  it.each(['../out.js', '/tmp/out-of-develop.js', 'a/../../out.js', 'C:\\out.js', '..\\out.js', '.'])(
    'writes nothing at all where one path leads out: %s',
    async path => {
      const target = join(place, 'new')
      const { result } = await runWith(develop, { task: 'one', path: target }, maker(path))
      expect(!result.success && result.error.message).toMatch(/leads out of/)
      expect(readdirSync(target)).toEqual([])
      expect(existsSync(join(place, 'out.js'))).toBe(false)
    },
  )

  it('goes over no link, and writes over no file of another content', async () => {
    mkdirSync(join(place, 'elsewhere'))
    mkdirSync(join(place, 'new'))
    symlinkSync(join(place, 'elsewhere'), join(place, 'new', 'src'))
    await expect(writeInto(join(place, 'new'), [{ path: 'src/a.js', content: 'a' }])).rejects.toThrow(
      /goes over a link/,
    )
    put('new/b.js', 'mine')
    await expect(writeInto(join(place, 'new'), [{ path: 'b.js', content: 'b' }])).rejects.toThrow(/with other content/)
    expect(await writeInto(join(place, 'new'), [{ path: 'b.js', content: 'mine' }])).toEqual(['b.js'])
    expect(readdirSync(join(place, 'elsewhere'))).toEqual([])
  })
})
