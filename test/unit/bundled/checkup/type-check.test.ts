import { describe, expect, test } from 'vitest'
import { survey } from '../../../../src/bundled/checkup/survey/survey.ts'
import { runTypeCheck, type TypeCheck, type TypeCheckTask } from '../../../../src/bundled/checkup/type-check.ts'
import { neverAborted, projectFrom, projectOf, writeFiles } from '../project.ts'

async function checkOf(root: string, timeoutMs = 20_000): Promise<TypeCheck> {
  const { typeCheck } = await survey({ path: root, signal: neverAborted })
  return runTypeCheck(typeCheck as TypeCheckTask, { root, timeoutMs, signal: neverAborted })
}

describe('the type check', () => {
  test("runs the project's own script and reads both ways in which a compiler speaks", async () => {
    const check = await checkOf(await projectFrom('node-tests'))
    expect(check).toMatchObject({ status: 'failed', note: 'npm run typecheck' })
    expect(check.findings).toEqual([
      {
        file: 'src/add.js',
        line: 1,
        rule: 'type-check',
        severity: 'error',
        message: 'TS7006: Parameter a has no type.',
      },
      {
        file: 'src/add.js',
        line: 2,
        rule: 'type-check',
        severity: 'error',
        message: 'TS2322: Type string is not assignable to type number.',
      },
    ])
  })

  test('passes', async () => {
    const root = await projectOf({ 'package.json': '{"scripts":{"check-types":"node -e 0"}}' })
    expect(await checkOf(root)).toMatchObject({ status: 'passed', note: 'npm run check-types', findings: [] })
  })

  test('falls back to the build, and tells what it said when it fails', async () => {
    const script = `node -e \\"console.log('working'); console.error('Error: no such target'); process.exit(1)\\"`
    const root = await projectOf({ 'package.json': `{"scripts":{"build":"${script}"}}` })
    expect((await checkOf(root)).findings).toEqual([
      {
        file: 'package.json',
        line: 1,
        rule: 'type-check',
        severity: 'error',
        message: 'npm run build failed: Error: no such target',
      },
    ])
  })

  test('is skipped where its program is not there: then nothing was checked', async () => {
    const root = await projectOf({ 'package.json': '{"scripts":{"typecheck":"no-such-compiler --noEmit"}}' })
    const check = await checkOf(root)
    expect(check).toMatchObject({ status: 'skipped', findings: [] })
    expect(check.note).toMatch(/^npm run typecheck could not be run here: .*no-such-compiler.*not found/)
  })

  test('that hangs is killed and is a finding', async () => {
    const root = await projectOf({
      'package.json': '{"scripts":{"typecheck":"node -e \\"setInterval(() => {}, 1000)\\""}}',
    })
    const check = await checkOf(root, 1500)
    expect(check.status).toBe('timeout')
    expect(check.findings).toMatchObject([{ rule: 'type-check-hung', severity: 'error' }])
  })

  test('uses a local compiler where there is a tsconfig and no script', async () => {
    const root = await projectFrom('vitest-project')
    await writeFiles(root, {
      'tsconfig.json': '{"compilerOptions":{"strict":true,"noEmit":true,"types":[]},"include":["src"]}',
      'src/a.ts': "export const a: number = 'text'\n",
    })
    const check = await checkOf(root)
    expect(check).toMatchObject({ status: 'failed', note: 'tsc --noEmit' })
    expect(check.findings).toMatchObject([{ file: 'src/a.ts', line: 1, message: expect.stringMatching(/^TS2322: /) }])
  })

  test('is said to be missing where there is none', async () => {
    const root = await projectOf({ 'a.txt': '' })
    expect((await survey({ path: root, signal: neverAborted })).typeCheck).toMatch(/no type check/)
  })
})
