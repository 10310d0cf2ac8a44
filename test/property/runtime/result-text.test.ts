import fc from 'fast-check'
import { expect, it } from 'vitest'
import { RunMemory } from '../../../src/runtime/run/run-memory.ts'
import { buildRunResult, resultText } from '../../../src/runtime/run/run-result.ts'
import { check } from '../../support/check-property.ts'

const run = {
  id: 'r',
  memory: new RunMemory(),
  failure: undefined,
  definition: { name: 'w', version: '1' },
  spec: { createdAt: 1 },
}

it('the text of a result is what JSON makes of it, whatever its output is and however it ended', () => {
  const outputs = fc.option(fc.jsonValue(), { nil: undefined })
  check(outputs, fc.constantFrom('completed' as const, 'failed' as const), (output, ended) => {
    const result = buildRunResult(run, ended, output, 5)
    const text = output === undefined ? undefined : JSON.stringify(output)
    expect(resultText(result, text)).toBe(JSON.stringify(result))
  })
})
