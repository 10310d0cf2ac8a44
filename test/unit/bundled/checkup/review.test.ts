import { describe, expect, test } from 'vitest'
import { readExcerpts, reviewPrompt, toReview, withoutReview } from '../../../../src/bundled/checkup/review.ts'
import { ProviderError } from '../../../../src/errors.ts'
import { projectOf } from '../project.ts'

describe('the review', () => {
  test('is not configured where there is no model, however deep the error says so', () => {
    const error = new ProviderError('no provider for code_review', { kind: 'no_provider' })
    expect(withoutReview(error).text).toMatch(/^not configured: /)
    expect(withoutReview(new Error('the stage failed', { cause: error })).text).toMatch(/^not configured: /)
  })

  test('says so when the model failed', () => {
    expect(withoutReview(new Error('overloaded')).text).toBe('no review: the model failed (overloaded).')
  })

  test('shows a model the riskiest files with their secrets masked', async () => {
    const token = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_')
    const root = await projectOf({ 'src/a.ts': `const token = '${token}'\n`, 'src/b.ts': 'b\n' })
    const risky = [{ file: 'src/a.ts', score: 100, fixes: 1, churn: 1, lines: 1 }]
    const finding = { file: 'src/b.ts', line: 1, rule: 'x', severity: 'error', message: 'It is wrong.' } as const
    const gone = { ...finding, file: 'src/gone.ts' }
    const excerpts = await readExcerpts(root, risky, [finding, gone])
    expect(excerpts.map(({ file }) => file)).toEqual(['src/a.ts', 'src/b.ts'])
    const prompt = reviewPrompt([finding], excerpts)
    expect(prompt).toContain('- error x src/b.ts:1: It is wrong.')
    expect(prompt).toContain('1  const token = ')
    expect(prompt).not.toContain(token)
  })

  test('drops what a model says about files and lines that it was not shown', () => {
    const at = (file: string, line: number) => ({ file, line, severity: 'warning' as const, message: 'Wrong.' })
    const answer = { overview: ' Good. ', findings: [at('a.ts', 2), at('a.ts', 3), at('../b.ts', 1)] }
    expect(toReview(answer, [{ file: 'a.ts', text: 'one\ntwo' }])).toEqual({
      text: 'Good.',
      findings: [{ file: 'a.ts', line: 2, rule: 'review', severity: 'warning', message: 'Wrong.' }],
    })
  })
})
