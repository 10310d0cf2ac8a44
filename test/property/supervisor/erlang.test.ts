import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  busyScenarios,
  flatScenarios,
  nestedScenarios,
  shortLivedScenarios,
  windowScenarios,
} from '../../support/otp-arbitraries.ts'
import { type OtpProcess, startOtp } from '../../support/otp-process.ts'
import { erlangOf, runLive, type Scenario } from '../../support/otp-scenario.ts'
import { propertyRuns, propertyTimeoutMs } from '../../support/supervised-worker.ts'

vi.setConfig({ testTimeout: propertyTimeoutMs, hookTimeout: 60_000 })

let otp: OtpProcess | undefined

beforeAll(async () => {
  otp = await startOtp()
  if (!otp) console.log('Erlang is not installed: the comparison with the supervisor of OTP is skipped.')
})

afterAll(() => otp?.close())

describe('agreement with the supervisor of Erlang/OTP itself', () => {
  const scenarios = {
    'in flat trees': flatScenarios,
    'in nested trees': nestedScenarios,
    'at the edges of the period': windowScenarios,
    'with calls while it is busy': busyScenarios,
    'with a child that is over as it starts': shortLivedScenarios,
  }
  for (const [where, arbitrary] of Object.entries(scenarios)) {
    it(`starts, ends, restarts, refuses and gives up alike ${where}`, async ({ skip }) => {
      const erlang = otp ?? skip('Erlang is not installed')
      const agrees = async (scenario: Scenario): Promise<void> => {
        const expected = await erlang.run(erlangOf(scenario))
        expect(await runLive(scenario)).toEqual(expected)
      }
      await fc.assert(fc.asyncProperty(arbitrary, agrees), { numRuns: propertyRuns })
    })
  }
})
