import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliPlace, createCliPlace } from '../support/cli.ts'

const chain = `
import { defineWorkflow } from 'holdfast'

export default defineWorkflow({ name: 'chain', version: '1', task: 'summarize' })
  .stage('fetch', ({ step }) => step('page', () => 'Kelp grows. It holds fast to its rock. It is a plant of the sea.'))
  .stage('sum', async ({ model, results }) => (await model.generate({ prompt: results.fetch })).text)
  .stage('end', ({ results }) => results.sum)
`

interface Told {
  readonly type: string
  readonly data: Record<string, unknown>
}

let place: CliPlace

beforeAll(() => {
  place = createCliPlace({ 'chain.ts': chain })
})

afterAll(() => place.remove())

const injectedOf = async (id: string): Promise<Told[]> => {
  const { stdout } = await place.run('runs', 'events', id, '--json')
  const events = stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Told)
  return events.filter(({ type }) => type === 'chaos.injected')
}

/** The first seed that does this to the workflow. */
async function runThat(does: RegExp, profile: string): Promise<{ id: string; code: number | null; stderr: string }> {
  for (let seed = 1; seed <= 40; seed++) {
    const id = `${profile}-${seed}`
    const { code, stderr } = await place.run('run', 'chain.ts', '--id', id, '--chaos', `${profile}@${seed}`)
    if (does.test(stderr)) return { id, code, stderr }
  }
  throw new Error(`no seed of '${profile}' does ${does}`)
}

describe('holdfast run --chaos', () => {
  it('fails calls for real, says so, keeps it in the journal, and the run ends as its profile allows', async () => {
    const { id, code, stderr } = await runThat(/chaos: a model call of stage 'sum' fails/, 'providers')
    expect(code, stderr).toBe(0)
    const [injected] = await injectedOf(id)
    expect(injected?.data).toMatchObject({ fault: 'call.failed', profile: 'providers', number: 1 })
    const { stdout } = await place.run('explain', id)
    expect(stdout).toContain("injected on purpose: a model call of stage 'sum' fails")
  })

  it('kills its own process, with the command that goes on; and that goes on without chaos', async () => {
    const { id, code, stderr } = await runThat(/the process is killed/, 'crashes')
    expect(code).toBe(null)
    expect(stderr).toContain(`this process is killed on purpose; go on with: holdfast resume ${id}`)
    const before = (await injectedOf(id)).length
    const resumed = await place.run('resume', id)
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(await injectedOf(id)).toHaveLength(before)
  })

  it('draws a seed and prints it, and that seed does the same', async () => {
    const first = await place.run('run', 'chain.ts', '--id', 'drawn', '--chaos', 'providers', '--json')
    const [, again] = /the same ones: --chaos (providers@\d+)/.exec(first.stderr) ?? []
    expect(JSON.parse(first.stdout)).toMatchObject({ runId: 'drawn' })
    await place.run('run', 'chain.ts', '--id', 'again', '--chaos', again as string)
    const faults = async (id: string) => (await injectedOf(id)).map(({ data }) => data)
    expect(await faults('again')).toEqual(await faults('drawn'))
    expect((await faults('drawn')).length).toBeGreaterThan(0)
  })

  it('takes the store away, and says how to go on', async () => {
    const { id, code, stderr } = await runThat(/seems to have taken the store/, 'owners')
    expect(code).toBe(5)
    expect(stderr).toContain(`go on with: holdfast resume ${id}`)
    expect((await place.run('resume', id)).code).toBe(0)
  })

  it('injects nothing without the flag', async () => {
    const { code, stderr } = await place.run('run', 'chain.ts', '--id', 'calm')
    expect(code).toBe(0)
    expect(stderr).not.toContain('chaos')
    expect(await injectedOf('calm')).toEqual([])
  })

  it.each([
    [['--chaos', 'nope'], "no fault profile 'nope'"],
    [['--chaos', 'provider'], "there is no fault profile 'provider'; did you mean 'providers'?\n"],
    [['--chaos', 'all@x'], 'must be a seed'],
    [['--chaos', 'all', '--dry-run'], 'cannot be used with'],
  ])('refuses %j before anything starts', async (flags, message) => {
    const { code, stderr } = await place.run('run', 'chain.ts', '--id', 'refused', ...flags)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
    expect((await place.run('runs', 'show', 'refused')).code).toBe(3)
  })
})

describe('holdfast simulate --replay <run id>', () => {
  it('does again what chaos did, and comes to the same end', async () => {
    const { id, stderr } = await runThat(/chaos: stage '\w+' is killed/, 'crashes')
    const [, command] = /the same again in the simulator: holdfast (.*)$/m.exec(stderr) ?? []
    expect(command).toBe(`simulate chain.ts --replay ${id}`)
    const texts = (await injectedOf(id)).map(({ data }) => `injected: ${String(data.text)}`)
    const { code, stdout } = await place.run(...(command as string).split(' '))
    expect(code, stdout).toBe(0)
    for (const text of texts) expect(stdout).toContain(text)
    const { data } = await place.json(...(command as string).split(' '))
    expect(data).toMatchObject({ ok: true, runId: id, differences: [] })
  })

  it('refuses what is neither a seed nor a run', async () => {
    const { code, stderr } = await place.run('simulate', 'chain.ts', '--replay', 'nope')
    expect(code).toBe(2)
    expect(stderr).toContain("--replay: 'nope' is neither a seed")
  })
})
