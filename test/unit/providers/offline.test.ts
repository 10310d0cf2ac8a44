import { describe, expect, test } from 'vitest'
import { offline } from '../../../src/providers/offline.ts'
import type { ModelRequest } from '../../../src/providers/provider.ts'

const context = { signal: new AbortController().signal, idempotencyKey: 'key', attempt: 1 }
const summarize = async (content: string, more: Partial<ModelRequest> = {}): Promise<string> => {
  const request: ModelRequest = { task: 'summarize', messages: [{ role: 'user', content }], ...more }
  return (await offline().generate(request, context)).text
}

const report = `Summarize this report:

# Checkup of the repository

The checkup ran 40 test files. Three test files failed, e.g. the store test. The weather was nice.
Nobody noticed. Failing test files are listed below:

- store.test.ts failed in the repository after 3 s
- it is what it is

\`\`\`
const failed = test files repository checkup failed test files
\`\`\`

Version 1.2 of the tool was used.`

describe('the offline provider', () => {
  test('picks the sentences that say most, in their order', async () => {
    const text = await summarize(report)
    expect(text).toBe('The checkup ran 40 test files.\n- store.test.ts failed in the repository after 3 s')
  })

  test('gives back only what was in the text, word for word', async () => {
    const flat = report.replace(/\s+/g, ' ')
    const text = await summarize(report.repeat(3))
    for (const line of text.split('\n')) expect(flat.repeat(3)).toContain(line.slice(0, 40))
  })

  test('says no sentence twice, and the same for the same text', async () => {
    const text = await summarize('The disk is full. '.repeat(30))
    expect(text).toBe('The disk is full.')
    expect(await summarize(report)).toBe(await summarize(report))
  })

  test('stays within the tokens it may use', async () => {
    const long = Array.from({ length: 60 }, (_, i) => `The store number ${i} failed at its checkpoint again.`).join(' ')
    expect((await summarize(long, { maxOutputTokens: 30 })).length).toBeLessThanOrEqual(120)
  })

  test('answers nothing to nothing', async () => {
    expect(await summarize(' \n---\n```\ncode\n```')).toBe('')
  })

  test('takes no row of a table for a sentence', async () => {
    const row = 'The store failed. The store failed again.'
    const edged = `| what | ${row} |\n|---|:--|\n${`| 1 | ${row} |\n`.repeat(40)}`
    const bare = `what | ${row}\n--- | ---\n${`1 | ${row}\n`.repeat(40)}`
    for (const table of [edged, bare, edged.replace(/^/gm, '> ')]) {
      expect(await summarize(`Here it is.\n${table}\nAll else is well.`)).toBe('All else is well.')
      expect(await summarize(table)).toBe('')
    }
    expect(await summarize('The flag is a | b here.')).toBe('The flag is a | b here.')
  })

  test('leaves fenced code out, also in a list, and code within code', async () => {
    const code = 'The store failed. The store failed again.'
    for (const block of [
      `- \`\`\`sh\n  ${code}\n  \`\`\``,
      `> ~~~\n> ${code}\n> ~~~`,
      `\`\`\`\`md\n\`\`\`\n${code}\n\`\`\`\n${code}\n\`\`\`\``,
    ]) {
      expect(await summarize(`${block}\nAll is well.`)).toBe('All is well.')
    }
    expect(await summarize('```npm test``` is the command.')).toBe('```npm test``` is the command.')
  })

  test('cuts a very long sentence at a word', async () => {
    const long = 'word '.repeat(300).trim()
    expect(await summarize(long)).toBe(`${'word '.repeat(79)}word…`)
    expect(await summarize(`- ${long}`)).toMatch(/^- (?:word )+word…$/)
    const unbroken = await summarize('\u{20000}'.repeat(500))
    expect(unbroken).toBe(`${'\u{20000}'.repeat(199)}…`)
  })

  test('reads the text parts of messages and leaves the system out', async () => {
    const messages: ModelRequest['messages'] = [
      { role: 'system', content: 'You are a poet. Write a poem about the sea and the sea only.' },
      { role: 'user', content: [{ type: 'text', text: 'The build is green.' }] },
    ]
    expect(await summarize('', { messages })).toBe('The build is green.')
  })

  test('estimates tokens, and costs nothing', async () => {
    const answer = await offline().generate(
      { task: 'summarize', messages: [{ role: 'user', content: 'The build is green.' }] },
      context,
    )
    expect(answer).toEqual({
      text: 'The build is green.',
      finishReason: 'stop',
      usage: { inputTokens: 5, outputTokens: 5 },
      cost: 0,
      model: 'extractive',
    })
  })

  test('does nothing else', async () => {
    expect([offline().accepts?.('summarize'), offline().accepts?.('code_review')]).toEqual([true, false])
    await expect(summarize('x', { task: 'code_review' })).rejects.toMatchObject({ details: { kind: 'no_provider' } })
    await expect(summarize('x', { schema: {} })).rejects.toMatchObject({ details: { kind: 'no_provider' } })
  })

  test('is quick with a long text', async () => {
    const started = performance.now()
    await summarize('The quick store fails. And it fails again! '.repeat(20_000))
    expect(performance.now() - started).toBeLessThan(2000)
  })
})
