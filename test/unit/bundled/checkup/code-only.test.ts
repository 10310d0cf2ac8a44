// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are source code

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codeOnly } from '../../../../src/bundled/checkup/scan/code-only.ts'

const newlinesOf = (text: string): number[] => [...text].flatMap((char, at) => (char === '\n' ? [at] : []))

describe('code without comments and strings', () => {
  test('keeps every position and every line, of any text at all', () => {
    const piece = fc.constantFrom(
      ...'\'"`/*\\${}()[]\n #ab=<>+'.split(''),
      '//',
      '/*',
      '*/',
      '"""',
      "'''",
      'f"',
      'return ',
    )
    const language = fc.constantFrom('javascript' as const, 'python' as const)
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), language, (pieces, spoken) => {
        const source = pieces.join('')
        const code = codeOnly(source, spoken)
        expect(code).toHaveLength(source.length)
        expect(newlinesOf(code)).toEqual(newlinesOf(source))
        for (const [at, char] of [...code].entries()) expect([' ', source[at]]).toContain(char)
      }),
    )
  })

  test('hides what stands in JavaScript comments, strings and regular expressions, and nothing else', () => {
    const hidden = fc.constantFrom(
      '// SEEN\n',
      '/* SEEN\n SEEN */',
      "'SEEN'",
      '"SE\\"SEEN"',
      '`SEEN`',
      '`a ${1} SEEN`',
      'x = /SEEN[/"]SEEN/g',
      'f(/SEEN"/)',
      "'it\\'s SEEN'",
    )
    const shown = fc.constantFrom(
      'call(CODE)',
      '`${CODE}`',
      'a / CODE / b',
      '<p>{CODE}</p>',
      '`${`${CODE}`}`',
      '({ a: CODE })',
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(hidden, shown)), pieces => {
        const code = codeOnly(pieces.join('\n;'), 'javascript')
        expect(code).not.toContain('SEEN')
        expect(code.split('CODE')).toHaveLength(pieces.filter(piece => piece.includes('CODE')).length + 1)
      }),
    )
  })

  test('hides what stands in Python comments and strings, and shows what an f-string inserts', () => {
    const hidden = fc.constantFrom(
      '# SEEN',
      '"SEEN"',
      "'SEEN'",
      '"""SEEN\nSEEN"""',
      "'''SEEN'''",
      'r"SEEN\\"',
      'f"SEEN {{SEEN}}"',
    )
    const shown = fc.constantFrom('f"a {CODE} b"', 'call(CODE)', "rf'{CODE}'")
    fc.assert(
      fc.property(fc.array(fc.oneof(hidden, shown)), pieces => {
        const code = codeOnly(pieces.join('\n'), 'python')
        expect(code).not.toContain('SEEN')
        expect(code.split('CODE')).toHaveLength(pieces.filter(piece => piece.includes('CODE')).length + 1)
      }),
    )
  })

  test('finds its way again at the end of a line that it does not understand', () => {
    expect(codeOnly("<p>Don't</p>\neval(x)", 'javascript')).toContain('\neval(x)')
  })
})
