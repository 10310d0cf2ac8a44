/**
 * Nothing that costs money starts unasked: before a run that will ask a paid model, the person is told which, how much
 * text it is about and what it may cost at most; and unless a budget was given, it runs under one of 1 USD. Where a model
 * has no known price no amount can be promised, so the run is refused with what would let it start.
 */
import { estimateOf } from '../bundled/index.ts'
import { type AnyWorkflow, type Budget, ConfigError, estimatedUsd, planSpending, type SpendingPlan } from '../index.ts'
import type { Session } from './session.ts'
import { paidModels } from './usual-models.ts'

export interface SpendingNotice {
  /** As it was given, or with the limit that is held where none was. */
  readonly budget: Budget | undefined
  /** What is said; empty where nothing will be paid for. */
  readonly lines: readonly string[]
}

const usualUsd = 1

/** @throws ConfigError where a model has no price and the budget does not count calls */
export async function spendingNotice(
  workflow: AnyWorkflow,
  input: unknown,
  { budget, profile }: { readonly budget: Budget | undefined; readonly profile: string | undefined },
): Promise<SpendingNotice> {
  const paid = await paidModels()
  if (paid === undefined) return { budget, lines: [] }
  const { providers, registry } = paid
  const plan = planSpending(workflow, { providers, catalogue: registry, profile })
  if (plan.models.length === 0) return { budget, lines: [] }
  const told = budget ?? plan.profileBudget
  if (plan.unpriced.length > 0 && told?.calls === undefined) throw unpriced(plan)
  const held = told?.usd === undefined && told?.calls === undefined ? { ...told, usd: usualUsd } : told
  const most = held.usd === undefined ? `${held.calls} calls` : `${held.usd} USD`
  return { budget: held, lines: await describe(workflow, input, plan, most) }
}

async function describe(
  workflow: AnyWorkflow,
  input: unknown,
  plan: SpendingPlan,
  most: string,
): Promise<readonly string[]> {
  const who = new Map<string, string[]>()
  for (const { provider, model, stage } of plan.models) {
    const name = `${provider} (${model})`
    who.set(name, [...(who.get(name) ?? []), stage])
  }
  const asked = [...who].map(([name, stages]) => `${name} for ${stages.join(', ')}`)
  const estimate = await estimateOf(workflow.name, input)
  const lines = [`this run asks paid models: ${asked.join('; ')}`]
  if (estimate) {
    const { files, chunks, inputTokens, outputTokens } = estimate
    const usd = estimatedUsd(plan, inputTokens, outputTokens)
    const cost = usd === 'unknown' ? 'an unknown amount' : `about ${usd.toFixed(usd < 0.1 ? 4 : 2)} USD`
    lines.push(`${files} files in ${chunks} chunks, about ${inputTokens} tokens: ${cost}`)
  }
  lines.push(`it spends at most ${most}; --budget usd=N sets another limit`)
  return lines
}

function unpriced({ unpriced: [first] }: SpendingPlan): ConfigError {
  const name = `'${first?.model}' of '${first?.provider}'`
  return new ConfigError(
    `the price of ${name} is unknown, so this run could cost any amount. Give it a price with createRuntime({ models: [{ provider, model, price }] }), or start it with --budget calls=N`,
    { provider: first?.provider, model: first?.model },
  )
}

export function sayNotice(session: Session, { lines }: SpendingNotice): void {
  for (const line of lines) session.terminal.say(line)
}
