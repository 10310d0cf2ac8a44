import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { markdownLines } from '../../../src/cli/markdown-view.ts'
import { widthOf } from '../../../src/cli/text-width.ts'

const named = (colour: string, text: string): string => `<${colour}>${text}</${colour}>`
const plain = (_: string, text: string): string => text

const report = `# Checkup of /home/somebody/a/rather/long/path/to/a/repository

One sentence that goes on for so long that it has to be wrapped somewhere on a narrow terminal.

| status | test file                                        | duration |
| ------ | ------------------------------------------------ | -------- |
| failed | test/some/where/deep/down/below/the/root.test.ts | 4.7s     |
| passed | test/a\\|b.test.ts                                | 12ms     |

### Errors (1)

- src/a.ts:3 [rule] a message that is long enough to be wrapped on a terminal of sixty columns
`

describe('a report on a terminal', () => {
  it('fits into 60 columns: tables lose the beginnings of paths, text is wrapped', () => {
    expect(markdownLines(report, { columns: 60, paint: plain })).toEqual([
      'Checkup of /home/somebody/a/rather/long/path/to/a/repository',
      '',
      'One sentence that goes on for so long that it has to be',
      'wrapped somewhere on a narrow terminal.',
      '',
      'status  test file                                   duration',
      'failed  …me/where/deep/down/below/the/root.test.ts      4.7s',
      'passed  test/a|b.test.ts                                12ms',
      '',
      'Errors (1)',
      '',
      '• src/a.ts:3 [rule] a message that is long enough to be',
      '  wrapped on a terminal of sixty columns',
    ])
  })

  it('is no wider than 100 columns on a wide one', () => {
    const [, , text = ''] = markdownLines(report.replaceAll('wrapped', 'wrapped '.repeat(40)), {
      columns: 300,
      paint: plain,
    })
    expect(text.length).toBeLessThanOrEqual(100)
  })

  it('colours what stands badly, and how well the rest stands', () => {
    const lines = markdownLines(report, { columns: 80, paint: named })
    expect(lines[0]).toMatch(/^<bold>Checkup/)
    expect(lines).toContain('<bold><red>Errors (1)</red></bold>')
    expect(lines.join('\n')).toMatch(/<red>failed<\/red>.*\n<green>passed<\/green>/)
  })

  it('never gives a line that is wider than the terminal but for a word that is', () => {
    const cell = fc.string({ unit: fc.constantFrom(...'ab c/.', '日'), maxLength: 70 })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 30, max: 120 }),
        (rows, columns) => {
          const table = ['| a | b |', '| --- | --- |', ...rows.map(([one, two]) => `| ${one} | ${two} |`)].join('\n')
          for (const line of markdownLines(table, { columns, paint: plain }))
            expect(widthOf(line)).toBeLessThanOrEqual(columns)
        },
      ),
    )
  })

  it('leaves fenced text as it is', () => {
    const source = '```\n| no | table |\n- no list\n```'
    expect(markdownLines(source, { columns: 20, paint: plain })).toEqual(source.split('\n'))
  })
})
