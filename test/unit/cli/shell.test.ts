import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quoted } from '../../../src/cli/shell.ts'

describe('a quoted word', () => {
  it('is as it was where it needs no quotes', () => {
    expect(quoted('checkup-20260501-101112-a_B3./x@y')).toBe('checkup-20260501-101112-a_B3./x@y')
  })

  it.skipIf(process.platform === 'win32')('is what a shell reads it as, whatever it is', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 20 }), words => {
        const clean = words.map(word => word.replaceAll(/[\0\n\r]/g, '').replaceAll(/[\ud800-\udfff]/g, ''))
        const script = `printf '%s\\n' ${clean.map(quoted).join(' ')}`
        expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' })).toBe(`${clean.join('\n')}\n`)
      }),
      { numRuns: 20 },
    )
  })
})
