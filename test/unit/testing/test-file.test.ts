import { describe, expect, it } from 'vitest'
import type { RunRecording } from '../../../src/testing/recording/recording.ts'
import { testFileOf } from '../../../src/testing/recording/test-file.ts'

function written(input: unknown): string {
  const outcome = { status: 'completed', output: input, stages: {} }
  const recording = { format: 1, id: 'r', input, start: {}, models: [], runs: [], faults: [], outcome } as RunRecording
  return testFileOf({ recording, limits: [], imported: '', differences: [] })
}

/** What the language makes of the literal in the file. */
function evaluated(file: string): RunRecording {
  const literal = /^const recording: RunRecording = (.*?\n\})$/ms.exec(file)?.[1]
  return Function(`return (${literal})`)() as RunRecording
}

describe('the test that is written of a run', () => {
  it.each([
    '{"__proto__":{"isAdmin":true},"a":1}',
    '{"deep":[{"__proto__":null}]}',
    '{"text":"\\n  \\"__proto__\\": {}","sep":"\\u2028"}',
    '{"x\\"__proto__":1,"constructor":2}',
  ])('has the very input that was recorded: %s', json => {
    const input: unknown = JSON.parse(json)
    const recorded = evaluated(written(input))
    expect(JSON.stringify(recorded.input)).toBe(JSON.stringify(input))
    expect(JSON.stringify(recorded.outcome.output)).toBe(JSON.stringify(input))
  })
})
