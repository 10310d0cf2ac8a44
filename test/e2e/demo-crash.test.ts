import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { projectRoot } from '../support/import-graph.ts'

describe('the demonstration of a crash', () => {
  it('ends with the report of a calm day after an outage and a kill, having paid for no answer twice', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'examples/demo-crash.ts'], {
      cwd: projectRoot,
      encoding: 'utf8',
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/429[\s\S]*503[\s\S]*dead[\s\S]*SIGKILL[\s\S]*another process/)
    expect(stdout).toMatch(/not paid again: +[1-9]\d* answers/)
    expect(stdout).toMatch(/circuit tripped: +'\w+' opened after (?:\d+ × \w+(?:, )?)+; \d+ requests were refused/)
    expect(stdout).toMatch(/incidents: +1 opened, 1 closed/)
    expect(stdout).toMatch(/the same as on a calm day/)
  })
})
