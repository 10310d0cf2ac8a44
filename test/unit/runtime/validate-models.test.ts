import { describe, expect, it } from 'vitest'
import { offline } from '../../../src/providers/offline.ts'
import type { Model } from '../../../src/providers/provider.ts'
import { createRegistry, type ModelEntry } from '../../../src/providers/registry.ts'
import { planSpending } from '../../../src/runtime/planning/spending.ts'
import { validateModels } from '../../../src/runtime/planning/validate-models.ts'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'

const now = Date.parse('2026-06-01')
const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 2 }
const tiers = ['cheap', 'capable', 'premium'] as const
const all: readonly Model[] = tiers.map(tier => ({ id: tier, tier, price }))

function findings(models: readonly Model[], entries: readonly ModelEntry[] = []) {
  const providers = [scriptedProvider([], { id: 'a', models })]
  const registry = createRegistry({ providers, entries, now: () => now })
  return validateModels(providers, registry, now).map(({ level, model, task, message }) => [
    level,
    model ?? task,
    message,
  ])
}

describe('the validation of models', () => {
  it('finds nothing where every tier has a model with a plausible price', () => {
    expect(findings(all)).toEqual([])
  })

  it.each([
    [
      { price: { inputUsdPerMTok: 1900, outputUsdPerMTok: 9000 } },
      'error',
      /outputUsdPerMTok is 9000 USD for a million tokens/,
    ],
    [{ price: { inputUsdPerMTok: 3, outputUsdPerMTok: 1 } }, 'warning', /are they swapped/],
    [{ price: 'unknown' }, 'warning', /its price is unknown/],
    [{ deprecated: true }, 'warning', /calls it deprecated/],
    [{ deprecated: '2026-01-01' }, 'error', /is served no longer since 2026-01-01/],
    [{ deprecated: '2027-01-01' }, 'warning', /is served until 2027-01-01/],
  ] as const)('finds %j', (entry, level, message) => {
    const found = findings(all, [{ provider: 'a', model: 'capable', ...entry }])
    expect(found).toEqual([[level, 'capable', expect.stringMatching(message)]])
  })

  it('names the tasks whose tier nobody has', () => {
    const found = findings(all.filter(({ tier }) => tier !== 'premium'))
    expect(found).toEqual([['warning', 'security_audit', expect.stringMatching(/wants a premium model/)]])
  })

  it('says where nobody does a task at all', () => {
    const providers = [offline()]
    const registry = createRegistry({ providers, now: () => now })
    const tasks = validateModels(providers, registry, now).filter(({ message }) => /no model does/.test(message))
    expect(tasks.map(({ task }) => task)).toContain('code_review')
    expect(tasks.map(({ task }) => task)).not.toContain('summarize')
  })
})

describe('what a run may spend', () => {
  const flow = defineWorkflow({ name: 'flow', version: '1' })
    .stage('read', () => 1)
    .stage('judge', ({ model }) => model.generate({ prompt: 'x' }))
    .stage('sum', { task: 'summarize' }, context => context.attempt)
    .stage('write', { task: 'summarize' }, ({ results: { sum } }) => sum)
    .stage('end', { task: 'summarize' }, () => 2)

  it('is asked of the stages that may ask a model, and only of models that cost something', () => {
    const providers = [scriptedProvider([], { id: 'a', models: all.slice(1) }), offline()]
    const catalogue = createRegistry({ providers, now: () => now })
    const { models, unpriced } = planSpending(flow, { providers, catalogue })
    expect(models.map(({ stage, model }) => [stage, model])).toEqual([
      ['judge', 'capable'],
      ['sum', 'capable'],
      ['write', 'capable'],
    ])
    expect(unpriced).toEqual([])
    expect(planSpending(flow, { providers: [offline()], catalogue }).models).toEqual([])
  })

  it('names the models whose price nobody knows', () => {
    const providers = [scriptedProvider([], { id: 'a', tier: 'capable' })]
    const catalogue = createRegistry({ providers, now: () => now })
    expect(planSpending(flow, { providers, catalogue }).unpriced.map(({ stage }) => stage)).toEqual([
      'judge',
      'sum',
      'write',
    ])
  })
})
