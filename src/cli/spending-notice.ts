/**
 * Nothing that costs money starts unasked: before a run that will ask a paid model, the person is told which, how much
 * text it is about and what it may cost at most; and unless a budget was given, it runs under one of 1 USD. Where a model
 * has no known price no amount can be promised, so the run is refused with what would let it start.
 */
import { estimateOf, type TextEstimate } from '../bundled/index.ts'
import {
  type AnyWorkflow,
  type Budget,
  ConfigError,
  estimatedUsd,
  type PlannedModel,
  planSpending,
  type SpendingPlan,
} from '../index.ts'
import type { Session } from './session.ts'
import { paidModels, type UsualModels } from './usual-models.ts'

export interface SpendingNotice {
  /** As it was given, or with the limit that is held where none was. */
  readonly budget: Budget | undefined
  /** What is said; empty where nothing will be paid for. */
  readonly lines: readonly string[]
  /** Why it may not start: a model has no price and the budget does not count calls. */
  readonly refusal?: ConfigError | undefined
  /** The models that it rests on; undefined where there is nobody who could be paid. */
  readonly models?: UsualModels | undefined
  readonly estimate?: TextEstimate | undefined
}

interface Asked {
  readonly budget: Budget | undefined
  readonly profile: string | undefined
  readonly local?: boolean | undefined
}

const usualUsd = 1

export async function spendingNotice(
  workflow: AnyWorkflow,
  input: unknown,
  { budget, profile, local }: Asked,
): Promise<SpendingNotice> {
  const models = await paidModels()
  if (models === undefined) return { budget, lines: [] }
  const plan = planSpending(workflow, { providers: models.providers, catalogue: models.registry, profile, local })
  const estimate = await estimateOf(workflow, input)
  if (local) return { budget, lines: [], models, estimate }
  const told = budget ?? plan.profileBudget
  // Held also where no stage seems to ask a model: what a stage calls, or a child run, may do so.
  const held = told?.usd === undefined && told?.calls === undefined ? { ...told, usd: usualUsd } : told
  if (plan.models.length === 0) return { budget: held, lines: [], models, estimate }
  if (plan.unpriced.length > 0 && told?.calls === undefined) {
    return { budget, lines: [], refusal: unpriced(plan), models, estimate }
  }
  return { budget: held, lines: describe(plan, input, held, estimate), models, estimate }
}

/** Says what it may cost. @throws ConfigError where that is unknown and so it may not start */
export function sayNotice(session: Session, { lines, refusal }: SpendingNotice): void {
  if (refusal) throw refusal
  for (const line of lines) session.terminal.say(line)
}

function describe(plan: SpendingPlan, input: unknown, held: Budget, estimate: TextEstimate | undefined): string[] {
  const who = new Map<string, string[]>()
  for (const { provider, model, stage } of plan.models) {
    const name = `${provider} (${model})`
    who.set(name, [...(who.get(name) ?? []), stage])
  }
  const asked = [...who].map(([name, stages]) => `${name} for ${stages.join(', ')}`)
  return [
    `this run asks paid models: ${asked.join('; ')}`,
    estimate ? estimateLine(plan, estimate) : inputLine(input),
    `it spends at most ${held.usd === undefined ? `what ${held.calls} calls cost` : `${held.usd} USD`}; --budget usd=N sets another limit, --local asks nobody who is paid`,
  ]
}

function estimateLine(plan: SpendingPlan, { what, inputTokens, outputTokens }: TextEstimate): string {
  const usd = estimatedUsd(plan, inputTokens, outputTokens)
  const cost = usd === 'unknown' ? 'an unknown amount' : `about ${usd.toFixed(usd < 0.1 ? 4 : 2)} USD`
  return `${what}, about ${inputTokens} tokens and ${outputTokens} in answers: ${cost}`
}

/** Of a workflow of one's own nobody knows what it makes of its input. */
function inputLine(input: unknown): string {
  const characters = JSON.stringify(input ?? {}).length
  return `its input is about ${Math.ceil(characters / 4)} tokens; how much it sends its own code decides`
}

function unpriced({ unpriced: [first] }: SpendingPlan): ConfigError {
  const name = `'${first?.model}' of '${first?.provider}'`
  return new ConfigError(
    `the price of ${name} is unknown, so this run could cost any amount. Give it a price (${priceExample(first)}, or createRuntime({ models: [{ provider, model, price }] })), start it with --budget calls=N, or with --local`,
    { provider: first?.provider, model: first?.model },
  )
}

/** The command line knows models by the environment alone; 0 is a price. */
function priceExample(model: PlannedModel | undefined): string {
  const price = { inputUsdPerMTok: 0, outputUsdPerMTok: 0 }
  return `HOLDFAST_OPENAI_MODELS='${JSON.stringify([{ id: model?.model, price }])}'`
}
