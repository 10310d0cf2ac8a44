import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const program = new URL('./exit-workflow.mjs', import.meta.url).pathname

describe('a stage that calls process.exit', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-exit-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const start = (mode: string) =>
    spawnSync(process.execPath, [program, join(directory, 'h.db'), join(directory, 'marker'), mode], {
      encoding: 'utf8',
    })

  it('ends the process with its code, and the next process goes on with the run', () => {
    expect(start('once').status).toBe(7)
    const second = start('once')
    expect(second.status).toBe(0)
    expect(JSON.parse(second.stdout)).toEqual({
      status: 'completed',
      resumes: 1,
      output: { before: 'kept', exits: 'second time' },
    })
  })

  it('is set aside with its run after ten deaths without progress, so it cannot end processes for ever', () => {
    let deaths = 0
    let last = start('always')
    for (; last.status === 7 && deaths < 20; last = start('always')) deaths++
    expect(deaths).toBe(10)
    expect(JSON.parse(last.stdout)).toMatchObject({ status: 'quarantined', error: expect.stringContaining('10 times') })
  })
})
