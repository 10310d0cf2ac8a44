import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { bundledWorkflow } from '../../../src/bundled/index.ts'
import { spendingNotice } from '../../../src/cli/spending-notice.ts'
import { type AnyWorkflow, type Budget, defineProfile, defineWorkflow } from '../../../src/index.ts'
import { noPrices } from '../../../src/providers/prices.ts'

const list = vi.hoisted(() => ({ isLost: false }))
vi.mock('../../../src/providers/price-list.ts', async original => {
  const real = await original<typeof import('../../../src/providers/price-list.ts')>()
  return { ...real, loadPriceList: async () => (list.isLost ? noPrices : real.loadPriceList()) }
})

const place = mkdtempSync(join(tmpdir(), 'holdfast-notice-'))
writeFileSync(join(place, 'a.ts'), 'export const a = 1\n'.repeat(400))
writeFileSync(join(place, 'README.md'), 'It does one thing. '.repeat(100))
afterAll(() => rmSync(place, { recursive: true }))
afterEach(() => {
  vi.unstubAllEnvs()
  list.isLost = false
})

const own = defineWorkflow({ name: 'own', version: '1' }).stage('ask', async ({ model }) => typeof model)
const quiet = defineWorkflow({ name: 'quiet', version: '1' }).stage('count', () => 1)

interface Asked {
  readonly budget?: Budget
  readonly local?: boolean
  readonly key?: string
}

function noticeOf(workflow: AnyWorkflow, input: unknown, { budget, local, key = 'sk-test' }: Asked = {}) {
  vi.stubEnv('OPENAI_API_KEY', key)
  vi.stubEnv('ANTHROPIC_API_KEY', '')
  vi.stubEnv('HOLDFAST_OPENAI_BASE_URL', '')
  return spendingNotice(workflow, input, { budget, profile: undefined, local })
}

describe('the notice before a run that costs money', () => {
  it.each([
    ['code-review', { path: place }, /openai \(.*\) for review/, /^1 file in \d chunks, about \d+ tokens/],
    ['summarize', { path: place }, /openai \(.*\) for parts, whole/, /^1 file in 1 chunk, about \d+ tokens/],
    ['summarize', { text: 'A text.' }, /openai/, /^a text in 1 chunk, about \d+ tokens/],
    [
      'develop',
      { task: 'a stack', path: place },
      /openai \(.*\) for approach, implementation, tests$/,
      /^a task, in 3/,
    ],
    ['checkup', { path: place }, /for review; .*for summary/, /^what tools found and at most 3 files in 2 calls/],
  ])('of %s %j says who is asked, how much text it is and what it costs at most', async (name, input, who, text) => {
    const { lines, budget } = await noticeOf(bundledWorkflow(name), input)
    expect(lines[0]).toMatch(/^this run asks paid models: /)
    expect(lines[0]).toMatch(who)
    expect(lines[1]).toMatch(text)
    expect(lines[1]).toMatch(/about \d+ tokens and \d+ in answers: about \d+\.\d+ USD$/)
    expect(lines[2]).toMatch(/^it spends at most 1 USD; --budget usd=N sets another limit/)
    expect(budget).toEqual({ usd: 1 })
  })

  it('of a workflow of one’s own says how large its input is, and what only its code knows', async () => {
    const { lines } = await noticeOf(own, { text: 'x'.repeat(400) })
    expect(lines[1]).toMatch(/^its input is about 10\d tokens; how much it sends its own code decides$/)
  })

  it('takes no estimate of a bundled workflow for another of the same name', async () => {
    const other = defineWorkflow({ name: 'develop', version: '1' }).stage('ask', ({ model }) => typeof model)
    expect((await noticeOf(other, { task: 'x', path: '.' })).lines[1]).toMatch(/^its input is about/)
  })

  it('keeps to the budget that was told, by hand or by the profile', async () => {
    expect((await noticeOf(own, {}, { budget: { usd: 3, tokens: 5 } })).budget).toEqual({ usd: 3, tokens: 5 })
    expect((await noticeOf(own, {}, { budget: { tokens: 5 } })).budget).toEqual({ tokens: 5, usd: 1 })
    const counting = await noticeOf(own, {}, { budget: { calls: 2 } })
    expect(counting.budget).toEqual({ calls: 2 })
    expect(counting.lines[2]).toMatch(/^it spends at most what 2 calls cost/)
    const profile = defineProfile({ budget: { usd: 0.25 } })
    const frugal = defineWorkflow({ name: 'frugal', version: '1', profile }).stage('ask', ({ model }) => typeof model)
    expect((await noticeOf(frugal, {})).budget).toEqual({ usd: 0.25 })
  })

  it('is not given where no stage asks a model, and holds the run to 1 USD all the same', async () => {
    expect(await noticeOf(quiet, {})).toMatchObject({ lines: [], budget: { usd: 1 } })
  })

  it('is not given, and nothing is held, where nobody is paid: without a key, or with --local', async () => {
    expect(await noticeOf(own, {}, { key: '' })).toEqual({ lines: [], budget: undefined })
    expect(await noticeOf(own, {}, { local: true })).toMatchObject({ lines: [], budget: undefined })
  })

  it('refuses a run whose model has no price, and says how to set one or to count calls', async () => {
    list.isLost = true
    const { refusal, lines } = await noticeOf(own, {})
    expect(lines).toEqual([])
    expect(refusal).toMatchObject({ code: 'invalid_config' })
    expect(refusal?.message).toMatch(/price of '.*' of 'openai' is unknown.*price.*--budget calls=N.*--local/)
    expect((await noticeOf(own, {}, { budget: { usd: 3 } })).refusal).toBeDefined()
    expect(await noticeOf(own, {}, { budget: { calls: 2 } })).toMatchObject({ budget: { calls: 2 } })
    expect((await noticeOf(own, {}, { budget: { calls: 2 } })).refusal).toBeUndefined()
    expect((await noticeOf(own, {}, { local: true })).refusal).toBeUndefined()
  })
})
