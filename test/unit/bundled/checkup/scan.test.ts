import { describe, expect, test } from 'vitest'
import { scanFiles } from '../../../../src/bundled/checkup/scan/scan.ts'
import { neverAborted, projectOf } from '../project.ts'

const token = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_')
const secret = `const token = '${token}'\n`

describe('the scan', () => {
  test('finds secrets and dangerous calls, and leaves alone what nobody wrote', async () => {
    const files = {
      'src/a.ts': `${secret}eval(input)\n`,
      'src/a.test.ts': 'eval(input)\n',
      'package-lock.json': secret,
      'a.min.js': secret,
      'long.js': `${'a'.repeat(30_000)}\n${secret}`,
      'binary.txt': `\0${secret}`,
      'large.txt': `${'a\n'.repeat(600_000)}${secret}`,
      'empty.ts': '',
    }
    const root = await projectOf(files)
    const scan = await scanFiles({ root, files: [...Object.keys(files), 'gone.ts'], signal: neverAborted })
    expect(scan.findings.map(({ file, line, rule }) => `${file}:${line} ${rule}`)).toEqual([
      'src/a.ts:1 secret-github',
      'src/a.ts:2 dangerous-eval',
    ])
    expect(scan).toMatchObject({ scanned: 2, leftOut: 7, omitted: 0 })
  })

  test('stops when it is told to', async () => {
    const root = await projectOf({ 'a.ts': '' })
    const signal = AbortSignal.abort(new Error('stop'))
    await expect(scanFiles({ root, files: ['a.ts'], signal })).rejects.toThrow('stop')
  })
})
