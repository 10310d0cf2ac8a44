/** For workflows that are nothing without a model: what is said where there is none. */
import { ProviderError } from '../errors.ts'
import { classifyError } from '../resilience/classify.ts'

/** @throws ProviderError `no_provider` that says how to configure one; else what the call was rejected with */
export async function needsModel<T>(workflow: string, call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (classifyError(error).kind !== 'no_provider') throw error
    throw new ProviderError(
      `${workflow} needs a model, and none is configured that could do this: set OPENAI_API_KEY or ANTHROPIC_API_KEY, HOLDFAST_OPENAI_BASE_URL for a server of your own, or give createRuntime providers`,
      { kind: 'no_provider', attemptsExhausted: true },
      { cause: error },
    )
  }
}
