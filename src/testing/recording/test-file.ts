/**
 * A Vitest file that replays a recorded run and expects what became of it: of a run that failed, the failure. It needs
 * nothing but the workflow's own file: what was recorded is in it.
 */
import type { MadeRecording } from './record-run.ts'

export interface TestFileOptions extends MadeRecording {
  /** The lines with which the test gets its `workflow`. */
  readonly imported: string
  /** What a replay gave otherwise than the run, if it did. */
  readonly differences: readonly string[]
}

export function testFileOf({ recording, limits, imported, differences }: TestFileOptions): string {
  const { id, outcome, ...rest } = recording
  const [root] = recording.runs
  const { status, error } = outcome
  const ended = error === undefined ? `is ${status}` : `is ${status}: ${error.message.split('\n')[0]}`
  const notes = [
    ...differences.map(
      difference => `With the workflow as it was when this was written, the replay differs: ${difference}.`,
    ),
    ...limits.map(limit => `Not replayed: ${limit}.`),
  ]
  return `/**
 * Run ${comment(id)} of workflow '${comment(root?.workflow ?? '')}' as it was recorded: what the models answered, what steps gave and what it
 * waited for is in here, and time passes at once. It passes as long as the workflow does what it did then.
${notes.map(note => ` * ${comment(note)}\n`).join('')} */
import { replayRun, type RunRecording } from 'holdfast/testing'
import { expect, it } from 'vitest'
${imported}

const recording: RunRecording = ${literal({ format: rest.format, id, ...withoutFormat(rest), outcome })}

it(${text(`${root?.workflow} (run ${id}) ${ended}`)}, async () => {
  const replayed = await replayRun(workflow, recording)
  // Calls that the run did not make: the workflow asks something else now.
  expect(replayed.unrecorded).toEqual([])
  expect(replayed.status).toBe(${text(status)})
${error === undefined ? '' : expectError(error)}${
  status === 'completed' ? `  expect(replayed.output).toEqual(recording.outcome.output)\n` : ''
}  expect(replayed.stages).toEqual(recording.outcome.stages)
})
`
}

function expectError({ message, ...error }: NonNullable<MadeRecording['recording']['outcome']['error']>): string {
  return `  expect(replayed.error).toMatchObject(${literal(error, 2)})
  expect(replayed.error?.message).toContain(${text(message)})
`
}

function withoutFormat({ format: _, ...rest }: object & { readonly format: number }): object {
  return rest
}

/**
 * JSON is a literal of the language, but for two characters that end a line in old readers, and for one key that would
 * set what the object inherits from. Keys stand at the beginning of a line, and no text has a line's end in it.
 */
const literal = (value: unknown, indent = 0): string =>
  JSON.stringify(value, null, 2)
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')
    .replaceAll(/^( *)"__proto__":/gm, '$1["__proto__"]:')
    .replaceAll('\n', `\n${' '.repeat(indent)}`)

const text = (value: string): string => literal(value)

const comment = (value: string): string => value.replaceAll('*/', '* /').replaceAll(/\s+/g, ' ')
