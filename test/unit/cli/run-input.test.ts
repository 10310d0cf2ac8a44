import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runInput } from '../../../src/cli/run-input.ts'

let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hf-input-'))
  writeFileSync(join(directory, 'file.md'), 'text')
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('the input of a bundled workflow', () => {
  it('has the directory one is in, as a whole path, unless it says another', async () => {
    const here = process.cwd()
    expect(await runInput('checkup', {})).toEqual({ input: { path: here }, cwd: here })
    expect(await runInput('checkup', { input: '{"maxTests":1}' })).toMatchObject({ input: { maxTests: 1, path: here } })
    expect(await runInput('checkup', { input: '{"path":"./src"}' })).toMatchObject({
      input: { path: join(here, 'src') },
    })
    expect(await runInput('checkup', { input: '{"path":"a"}', path: directory })).toMatchObject({ cwd: directory })
  })

  it('is refused where there is nothing to examine; what is written may not be there yet', async () => {
    const absent = join(directory, 'absent')
    await expect(runInput('checkup', { path: absent })).rejects.toMatchObject({ code: 'file_not_found' })
    await expect(runInput('code-review', { path: absent })).rejects.toThrow(`the path ${absent} does not exist`)
    expect(await runInput('develop', { path: absent })).toEqual({ input: { path: absent }, cwd: undefined })
  })

  it('is a text for summarize, without a path', async () => {
    expect(await runInput('summarize', { input: `@${join(directory, 'file.md')}` })).toEqual({
      input: { text: 'text' },
      cwd: undefined,
    })
  })
})

describe('the input of a workflow of one’s own', () => {
  it('is as it was given', async () => {
    expect(await runInput('./own.ts', { input: '{"path":"./x"}' })).toEqual({ input: { path: './x' }, cwd: undefined })
    expect(await runInput('./own.ts', {})).toEqual({ input: {}, cwd: undefined })
  })
})
