import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliPlace, createCliPlace } from '../support/cli.ts'
import { gated } from '../support/cli-workflows.ts'

const reaching = `
import { defineWorkflow } from 'holdfast'

export default defineWorkflow({ name: 'reaching', version: '1' })
  .stage('ask', async () => (await fetch('http://127.0.0.1:1')).status)
`

let place: CliPlace

beforeAll(() => {
  place = createCliPlace({ 'gated.ts': gated, 'reaching.ts': reaching })
})

afterAll(() => place.remove())

describe('holdfast simulate', () => {
  it('tells its progress on stderr and what came of it on stdout', async () => {
    const { code, stdout, stderr } = await place.run('simulate', 'gated.ts', '--seeds', '4')
    expect(code, stdout + stderr).toBe(0)
    expect(stdout).toContain("'gated': 4 seeds")
    expect(stdout).toMatch(/runs +\d+ completed/)
    expect(stderr).toContain('4 of 4 seeds')
  })

  it('exits with 1 and the line that does it again, which does', async () => {
    const { code, stdout } = await place.run('simulate', 'reaching.ts', '--faults', 'crashes')
    expect(code).toBe(1)
    expect(stdout).toContain("stage 'ask' reaches out by itself: fetch")
    const [, args] = /^again: holdfast (.*)$/m.exec(stdout) ?? []
    expect(args).toMatch(/^simulate reaching\.ts --replay \d+ --faults crashes$/)
    const again = await place.run(...(args as string).split(' '))
    expect(again.code).toBe(1)
  })

  it('gives the same as one document', async () => {
    const { code, data } = await place.json('simulate', 'reaching.ts', '--replay', '3')
    expect(code).toBe(1)
    expect(data).toMatchObject({ ok: false, seed: 3, replay: 'holdfast simulate reaching.ts --replay 3' })
  })

  it.each([
    [['--faults', 'nope'], 'no fault profile'],
    [['--seeds', '0'], '--seeds'],
    [['--replay', 'x'], '--replay'],
    [['--stand-in', 'ask'], 'no `output` schema'],
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await place.run('simulate', 'reaching.ts', ...flags)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })
})
