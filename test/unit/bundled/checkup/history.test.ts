import { describe, expect, test } from 'vitest'
import { bugRisk, isFix } from '../../../../src/bundled/checkup/history/bug-risk.ts'
import { type Commit, parseLog, readHistory } from '../../../../src/bundled/checkup/history/git-log.ts'
import { assessRisk } from '../../../../src/bundled/checkup/history/risk.ts'
import { commitAll, git, neverAborted, projectOf, writeFiles } from '../project.ts'

const commit = (at: number, subject: string, ...files: readonly string[]): Commit => ({
  at,
  subject,
  changes: files.map(file => ({ file, lines: 10 })),
})
const oneHundredLines = (...files: readonly string[]): ReadonlyMap<string, number> =>
  new Map(files.map(file => [file, 100]))

describe('bug risk', () => {
  test('is higher where fixes are recent', () => {
    const commits = [
      commit(1000, 'Fix the new', 'new.ts'),
      commit(500, 'Work', 'new.ts', 'old.ts'),
      commit(0, 'fix: old', 'old.ts'),
    ]
    const risks = bugRisk({ commits, linesOf: oneHundredLines('new.ts', 'old.ts') })
    expect(risks).toMatchObject([
      { file: 'new.ts', score: 100, fixes: 1, churn: 20, lines: 100 },
      { file: 'old.ts', score: 0, fixes: 1 },
    ])
  })

  test('counts only files that were fixed and are still there', () => {
    const commits = [commit(2, 'fix', 'gone.ts'), commit(1, 'Add a feature', 'calm.ts')]
    expect(bugRisk({ commits, linesOf: oneHundredLines('calm.ts') })).toEqual([])
  })

  test('follows a file through its renames', () => {
    const renamed: Commit = { at: 2, subject: 'Move', changes: [{ file: 'b.ts', renamedFrom: 'a.ts', lines: 0 }] }
    const again: Commit = { at: 3, subject: 'Move', changes: [{ file: 'c.ts', renamedFrom: 'b.ts', lines: 2 }] }
    const commits = [again, renamed, commit(1, 'Fix a crash', 'a.ts')]
    expect(bugRisk({ commits, linesOf: oneHundredLines('a.ts', 'b.ts', 'c.ts') })).toMatchObject([
      { file: 'c.ts', fixes: 1, churn: 12 },
    ])
  })

  test.each([
    ['fix: the parser', true],
    ['Fixes #12', true],
    ['Revert "Add x"', true],
    ['Handle a regression in login', true],
    ['bugfix for the cache', true],
    ['Fix typo in the README', false],
    ['fix lint', false],
    ['Add a prefix to names', false],
    ['Add a debugger', false],
  ])('takes %j for a fix: %s', (subject, expected) => {
    expect(isFix(subject)).toBe(expected)
  })
})

describe('the history', () => {
  test('is read from real git, with renames and odd names', async () => {
    const root = await projectOf({ 'a.ts': 'one\ntwo\nthree\n' })
    git(root, 'init', '--quiet')
    commitAll(root, 'Begin')
    await writeFiles(root, { 'a.ts': 'one\n2\nthree\n', 'an odd "näme".ts': 'x\n' })
    commitAll(root, 'fix: two')
    git(root, 'mv', 'a.ts', 'b.ts')
    commitAll(root, 'Move')
    const history = await readHistory(root, undefined, neverAborted)
    expect(history).toMatchObject({
      ok: true,
      shallow: false,
      truncated: false,
      commits: [
        { subject: 'Move', changes: [{ file: 'b.ts', renamedFrom: 'a.ts', lines: 0 }] },
        {
          subject: 'fix: two',
          changes: [
            { file: 'a.ts', lines: 2 },
            { file: 'an odd "näme".ts', lines: 1 },
          ],
        },
        { subject: 'Begin', changes: [{ file: 'a.ts', lines: 3 }] },
      ],
    })
  })

  test('begins where it is told to, at a commit or a date', async () => {
    const root = await projectOf({ 'a.ts': '1\n' })
    git(root, 'init', '--quiet')
    commitAll(root, 'Begin', '2020-01-01T00:00:00Z')
    git(root, 'tag', 'v1')
    await writeFiles(root, { 'a.ts': '2\n' })
    commitAll(root, 'Go on', '2022-01-01T00:00:00Z')
    expect(await readHistory(root, 'v1', neverAborted)).toMatchObject({ commits: [{ subject: 'Go on' }] })
    expect(await readHistory(root, '2001-01-01', neverAborted)).toMatchObject({ commits: [{}, {}] })
    expect(await readHistory(root, '2021-01-01', neverAborted)).toMatchObject({ commits: [{ subject: 'Go on' }] })
    expect(await readHistory(root, 'HEAD', neverAborted)).toMatchObject({ ok: true, commits: [] })
  })

  test('counts a binary as no lines', () => {
    expect(parseLog('\x1e5\x1fAdd\0\n-\t-\tlogo.png\0')).toEqual([
      { at: 5, subject: 'Add', changes: [{ file: 'logo.png', lines: 0 }] },
    ])
  })
})

describe('the assessment', () => {
  test('makes findings of the riskiest sources', async () => {
    const root = await projectOf({ 'src/a.ts': 'a\n', 'README.md': 'a\n' })
    git(root, 'init', '--quiet')
    commitAll(root, 'Begin')
    for (const round of [1, 2, 3]) {
      await writeFiles(root, { 'src/a.ts': `a\n${round}\n`, 'README.md': `${round}\n` })
      commitAll(root, `Fix bug ${round}`)
    }
    const risk = await assessRisk({ root, files: ['README.md', 'src/a.ts'], signal: neverAborted })
    expect(risk).toMatchObject({
      commits: 4,
      files: [{ file: 'src/a.ts', score: 100, fixes: 3 }],
      findings: [{ file: 'src/a.ts', line: 1, rule: 'bug-risk', severity: 'warning' }],
      notes: [],
    })
    expect(risk.findings[0]?.message).toMatch(/^Risk 100 of 100: fixed 3 times, \d+ lines changed, 3 lines long\./)
  })

  test('says why there is none without git', async () => {
    const root = await projectOf({ 'a.ts': 'a' })
    const risk = await assessRisk({ root, files: ['a.ts'], signal: neverAborted })
    expect(risk).toEqual({
      commits: 0,
      files: [],
      findings: [],
      notes: ['no git history: this is not a git repository'],
    })
  })

  test('says why there is none without a commit', async () => {
    const root = await projectOf({ 'a.ts': 'a' })
    git(root, 'init', '--quiet')
    const risk = await assessRisk({ root, files: ['a.ts'], signal: neverAborted })
    expect(risk.notes).toEqual(['no git history: there is no commit yet'])
  })

  test('notes a shallow clone', async () => {
    const origin = await projectOf({ 'a.ts': '1' })
    git(origin, 'init', '--quiet')
    commitAll(origin, 'Begin')
    await writeFiles(origin, { 'a.ts': '2' })
    commitAll(origin, 'fix')
    git(origin, 'clone', '--quiet', '--depth', '1', `file://${origin}`, 'clone')
    const risk = await assessRisk({ root: `${origin}/clone`, files: ['a.ts'], signal: neverAborted })
    expect(risk.notes).toEqual(['the clone is shallow, so the history is cut short'])
  })
})
