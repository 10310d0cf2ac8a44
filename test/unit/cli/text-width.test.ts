import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cropped, padded, widthOf, wrapped } from '../../../src/cli/text-width.ts'

const texts = fc.string({ unit: fc.constantFrom(...'ab c/', 'é', 'e\u0301', '日', '한', '🚀', '…'), maxLength: 60 })

describe('the width of a text', () => {
  it.each([
    ['plain', 5],
    ['\u001b[31mred\u001b[39m', 3],
    ['日本語', 6],
    ['e\u0301', 1],
    ['🚀 go', 5],
  ])('of %j is %i columns', (text, width) => {
    expect(widthOf(text)).toBe(width)
  })
})

describe('a text that is made to fit', () => {
  it('is never wider than its room, and is as it was where there is room', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 50 }), fc.boolean(), (text, width, keepsEnd) => {
        const short = cropped(text, width, keepsEnd)
        expect(widthOf(short)).toBeLessThanOrEqual(width)
        if (widthOf(text) <= width) expect(short).toBe(text)
        else expect(keepsEnd ? short.startsWith('…') : short.endsWith('…')).toBe(true)
        expect(widthOf(padded(short, width))).toBe(width)
      }),
    )
  })

  it('keeps every word when it is wrapped, and a line is too wide only for a word that is', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 30 }), (text, width) => {
        const lines = wrapped(text, width)
        expect(lines.join(' ').split(/\s+/).filter(Boolean)).toEqual(text.split(/\s+/).filter(Boolean))
        for (const line of lines) if (widthOf(line) > width) expect(line).not.toMatch(/\s\S/)
      }),
    )
  })
})
