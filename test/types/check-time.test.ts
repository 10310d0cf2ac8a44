import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const cache = join(root, 'node_modules', '.cache')
let folder: string

beforeAll(() => {
  mkdirSync(cache, { recursive: true })
  folder = mkdtempSync(join(cache, 'check-time-'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A workflow whose every stage reads the result of the one before, ending in a mistake where one is asked for. */
function chain(stages: number, ending = 'results.s0.text'): string {
  const lines = Array.from({ length: stages }, (_, stage) => {
    const before = stage === 0 ? "''" : `results.s${stage - 1}.text`
    return stage % 5 === 4
      ? `  .map('s${stage}m', { over: ({ results }) => [${before}], optional: true }, async ({ item }) => item)
  .stage('s${stage}', { timeout: '3s', fallback: ({ error }) => ({ text: error.message }) }, ({ results }) => ({ text: results.s${stage}m[0] ?? '' }))`
      : `  .stage('s${stage}', async ({ input${stage === 0 ? '' : ', results'} }) => ({ text: ${before} + input.path, stage: ${stage} }))`
  })
  return `import { z } from 'zod'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
export default defineWorkflow({ name: 'chain', version: '1', input: z.object({ path: z.string() }) })
${lines.join('\n')}
  .output(({ results }) => ${ending})
`
}

/** What the compiler says of a program: its errors and how long it checked. */
function check(source: string): { errors: string; checkSeconds: number } {
  writeFileSync(join(folder, 'program.ts'), source)
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: join(root, 'tsconfig.json'), include: ['program.ts'], exclude: [] }),
  )
  const output = compile()
  const time = /Check time:\s*([\d.]+)s/.exec(output)
  return { errors: output.slice(0, output.indexOf('Files:')), checkSeconds: Number(time?.[1]) }
}

function compile(): string {
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  try {
    return execFileSync(tsc, ['-p', folder, '--noEmit', '--extendedDiagnostics']).toString()
  } catch (error) {
    return String((error as { stdout: Buffer }).stdout)
  }
}

it('checks a workflow of 50 chained stages in under 2 s', () => {
  const times = [1, 2, 3].map(() => {
    const { errors, checkSeconds } = check(chain(50))
    expect(errors).toBe('')
    return checkSeconds
  })
  expect(Math.min(...times)).toBeLessThan(2)
})

it('finds the mistake at the end of such a workflow', () => {
  expect(check(chain(50, 'results.s50.text')).errors).toContain("Property 's50' does not exist")
})
