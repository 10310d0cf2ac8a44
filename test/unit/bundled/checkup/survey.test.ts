import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isWorthALook, listFiles } from '../../../../src/bundled/checkup/repository-files.ts'
import { survey } from '../../../../src/bundled/checkup/survey/survey.ts'
import { ValidationError } from '../../../../src/errors.ts'
import { commitAll, git, neverAborted, projectFrom, projectOf, writeFiles } from '../project.ts'

const signal = neverAborted

describe('the files that are looked at', () => {
  test('are those that git tracks or would track, without dependencies, output and fixtures', async () => {
    const root = await projectOf({
      '.gitignore': 'secret.txt\nnode_modules/\n',
      'secret.txt': '',
      'node_modules/a/index.js': '',
      'src/a.ts': '',
      'dist/a.js': '',
      'test/fixtures/a.test.ts': '',
      'test/__fixtures__/b.ts': '',
      '.env': '',
      '.hidden/a.ts': '',
      '.github/workflows/ci.yml': '',
    })
    git(root, 'init', '--quiet')
    expect((await listFiles(root, {}, signal)).files).toEqual([
      '.env',
      '.github/workflows/ci.yml',
      '.gitignore',
      'src/a.ts',
    ])
  })

  test('are found by a walk where there is no git', async () => {
    const root = await projectOf({ 'src/a.ts': '', 'node_modules/a/a.js': '', 'build/a.js': '' })
    const listed = await listFiles(root, {}, signal)
    expect(listed).toEqual({ files: ['src/a.ts'], truncated: false })
  })

  test('are those that were chosen', async () => {
    const root = await projectOf({ 'src/a.ts': '', 'src/b/b.ts': '', 'src/b/c.js': '', 'lib/d.ts': '' })
    const chosen = async (include?: string[], exclude?: string[]): Promise<readonly string[]> =>
      (await listFiles(root, { include, exclude }, signal)).files
    expect(await chosen(['src'])).toEqual(['src/a.ts', 'src/b/b.ts', 'src/b/c.js'])
    expect(await chosen(['src/**/*.ts'])).toEqual(['src/a.ts', 'src/b/b.ts'])
    expect(await chosen(['*.ts'], ['lib'])).toEqual(['src/a.ts', 'src/b/b.ts'])
    expect(await chosen(['./src/b/'], ['*.{js,mjs}'])).toEqual(['src/b/b.ts'])
    expect(await chosen(undefined, ['src/[ab]*'])).toEqual(['lib/d.ts', 'src/b/b.ts', 'src/b/c.js'])
  })

  test('may lie in a directory that is called fixtures when that is the root', () => {
    expect(isWorthALook('fixtures/a.ts')).toBe(true)
    expect(isWorthALook('test/fixtures/a.ts')).toBe(false)
  })
})

describe('the survey', () => {
  test('finds the tests, their runner and what cannot be run', async () => {
    const root = await projectFrom('node-tests')
    const found = await survey({ path: root, signal })
    expect(found.tests.map(({ file, runner }) => `${runner} ${file}`)).toEqual([
      'node test/failing.test.js',
      'node test/flaky.test.js',
      'node test/hanging.test.js',
      'node test/passing.test.js',
      'node test/skipped.test.js',
    ])
    expect(found.notRun).toEqual([
      { file: 'test/browser.spec.js', status: 'skipped', durationMs: 0, reason: 'it drives a browser (Playwright)' },
    ])
    expect(found.typeCheck).toMatchObject({ label: 'npm run typecheck', cwd: root })
    expect(found.notes).toEqual([])
  })

  test('takes the runner that a file imports over the one of its package', async () => {
    const root = await projectFrom('vitest-project')
    const found = await survey({ path: root, signal })
    expect(Object.fromEntries(found.tests.map(({ file, runner }) => [file, runner]))).toEqual({
      'test/bad.test.ts': 'vitest',
      'test/broken.test.ts': 'vitest',
      'test/good.test.ts': 'vitest',
      'test/native.test.ts': 'node',
    })
    expect(found.tests[0]?.program).toMatch(/node_modules\/vitest\/vitest\.mjs$/)
    expect(found.tests[0]?.cwd).toBe(root)
  })

  test('starts a runner where its configuration is', async () => {
    const root = await projectFrom('vitest-project')
    await writeFiles(root, {
      'packages/a/vitest.config.ts': 'export default {}',
      'packages/a/test/a.test.ts': "import { test } from 'vitest'",
    })
    const found = await survey({ path: root, signal })
    expect(found.tests.find(({ file }) => file.startsWith('packages/'))?.cwd).toBe(join(root, 'packages/a'))
  })

  test('says that a runner is not installed, and installs nothing', async () => {
    const root = await projectOf({
      'package.json': '{"devDependencies":{"jest":"^30.0.0"},"scripts":{"test":"jest","build":"tsc"}}',
      'a.test.js': 'test("a", () => {})',
    })
    const found = await survey({ path: root, signal })
    expect(found.notRun).toMatchObject([
      { reason: "jest is not installed here; install the project's dependencies first" },
    ])
    expect(found.typeCheck).toBe("the project's dependencies are not installed")
  })

  test('takes in test directories what declares tests, and leaves what helps them', async () => {
    const root = await projectOf({
      'package.json': '{"scripts":{"test":"node --test"}}',
      'test/adds.js': "import test from 'node:test'\ntest('a', () => {})",
      'test/make.js': "import { mock } from 'node:test'\nexport const make = mock.fn()",
      'test/support/more.js': "import test from 'node:test'\ntest('b', () => {})",
      'test/writes.js': "export const file = `import test from 'node:test'\n\ntest('c', () => {})\n`",
    })
    expect((await survey({ path: root, signal })).tests.map(({ file }) => file)).toEqual(['test/adds.js'])
  })

  test('takes a Go package once and says where Go is missing or there is no module', async () => {
    const root = await projectOf({ 'a/a_test.go': 'package a', 'a/b_test.go': 'package a' })
    const found = await survey({ path: root, signal })
    expect(found.tests).toEqual([])
    expect(found.notRun).toMatchObject([{ file: 'a/a_test.go', reason: expect.stringMatching(/Go/) }])
  })

  test('takes the share that was asked for and says how much there is', async () => {
    const root = await projectFrom('node-tests')
    const found = await survey({ path: root, maxTests: 2, signal })
    expect(found.tests).toHaveLength(2)
    expect(found.runnable).toBe(5)
    expect((await survey({ path: root, maxTests: 0, signal })).tests).toEqual([])
  })

  test('refuses what is no directory', async () => {
    const root = await projectOf({ 'a.txt': '' })
    await expect(survey({ path: join(root, 'nowhere'), signal })).rejects.toThrow(/nowhere.*does not exist/)
    await expect(survey({ path: join(root, 'a.txt'), signal })).rejects.toBeInstanceOf(ValidationError)
  })

  test('notes a package.json that is no JSON', async () => {
    const root = await projectOf({ 'package.json': '{"name":', 'a.test.mjs': "import 'node:test'" })
    const { notes, tests } = await survey({ path: root, signal })
    expect(notes).toEqual(['package.json is no JSON, so its package was passed over'])
    expect(tests).toHaveLength(1)
  })

  test('works on a repository without a commit', async () => {
    const root = await projectFrom('node-tests')
    git(root, 'init', '--quiet')
    const found = await survey({ path: root, maxTests: 1, signal })
    expect(found).toMatchObject({ runnable: 5, notes: [] })
    commitAll(root, 'Begin')
    expect((await survey({ path: root, maxTests: 1, signal })).tests).toHaveLength(1)
  })
})
