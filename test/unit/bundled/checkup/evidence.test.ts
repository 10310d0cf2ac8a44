import { describe, expect, test } from 'vitest'
import { firstLine, placeIn, shortened, tellingLine } from '../../../../src/bundled/checkup/evidence.ts'

const files = ['/p/test/a.test.ts', '/p/src/f.ts', '/p/src/g.ts', '/p/packages/a/b.py', '/p/test/add_test.go']
const place = (text: string): object =>
  placeIn(text, {
    root: '/p',
    cwd: '/p/packages/a',
    about: 'test/a.test.ts',
    isFile: path => files.includes(path) || /node_modules|^\/usr/.test(path),
  })

describe('the place that an output points to', () => {
  test.each([
    [
      'the test file rather than what it calls',
      'at f (/p/src/f.ts:3:1)\nat /p/test/a.test.ts:12:5',
      'test/a.test.ts',
      12,
    ],
    [
      'the first file of the repository otherwise',
      'at f (file:///p/src/f.ts:3:1)\nat g (/p/src/g.ts:4:1)',
      'src/f.ts',
      3,
    ],
    ['a path relative to where the runner was started', 'b.py:7: AssertionError', 'packages/a/b.py', 7],
    ['a path relative to the directory of the file', 'add_test.go:8: got 3', 'test/add_test.go', 8],
    ['nothing that does not exist', 'at src/gone.ts:3:1', 'test/a.test.ts', 1],
    ['a path in colours', '\u001b[36m/p/src/f.ts:\u001b[2m3:1\u001b[22m', 'src/f.ts', 3],
    ['nothing in a dependency', 'at /p/node_modules/x/index.js:3:1', 'test/a.test.ts', 1],
    ['nothing outside of the repository', 'at /usr/lib/x.js:3:1 and node:internal/x.js:1:1', 'test/a.test.ts', 1],
    ['nothing where none is named', 'it is 12:30', 'test/a.test.ts', 1],
  ])('is %s', (_, text, file, line) => {
    expect(place(text)).toEqual({ file, line })
  })
})

describe('what is shown of an output', () => {
  test('is the first line that says something, without colours and secrets', () => {
    const token = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_')
    expect(firstLine(`\n-----\n\u001b[31mError: bad ${token}\u001b[0m\n    at x`)).toBe('Error: bad [masked]')
  })

  test('is of a whole output the line that speaks of an error', () => {
    expect(tellingLine('compiling\nlinking\nfatal: no space\nbye')).toBe('fatal: no space')
    expect(tellingLine('one\ntwo')).toBe('one')
    expect(tellingLine('')).toBe('')
  })

  test('is never longer than its bound', () => {
    expect(shortened('a'.repeat(500))).toHaveLength(300)
    expect(shortened('  a\n  b ')).toBe('a b')
  })
})
