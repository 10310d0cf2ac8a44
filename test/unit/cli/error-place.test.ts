import { describe, expect, it } from 'vitest'
import { placeOf } from '../../../src/cli/error-place.ts'

const file = '/elsewhere/w.ts'

describe('the place of an error in a workflow file', () => {
  it('is the first of its frames in the stack', () => {
    const error = Object.assign(new TypeError('no'), {
      stack: `TypeError: no\n    at other (file:///x.js:1:2)\n    at top (file://${file}:12:7)\n    at ${file}:40:1`,
    })
    expect(placeOf(error, file)).toMatchObject({ said: 'TypeError: no', line: 12, column: 7 })
    expect(placeOf(error, file).at).toMatch(/w\.ts:12:7$/)
  })

  it('is what the translator said, counted from 1', () => {
    const error = new Error(`Transform failed with 1 error:\n${file}:3:4: ERROR: Expected "}" but found ")"`)
    expect(placeOf(error, file)).toMatchObject({ said: 'syntax error: Expected "}" but found ")"', line: 3, column: 5 })
  })

  it.each([undefined, null, 5, 'text', {}, new Error('')])('may be unknown: %j', thrown => {
    const place = placeOf(thrown, file)
    expect(place.at).toBe(undefined)
    expect(place.said).not.toBe('')
  })
})
