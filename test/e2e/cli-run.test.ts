import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliPlace, createCliPlace } from '../support/cli.ts'
import { gated, hurried, reporting, slow, unruly } from '../support/cli-workflows.ts'

let place: CliPlace

beforeAll(() => {
  place = createCliPlace({
    'reporting.ts': reporting,
    'gated.ts': gated,
    'slow.ts': slow,
    'hurried.ts': hurried,
    'unruly.ts': unruly,
    'input.json': '{"path":"from-a-file"}',
    'plain.mjs':
      "import { defineWorkflow } from 'holdfast'\nexport default defineWorkflow({ name: 'plain', version: '1' }).stage('a', () => ({ n: 1 }))\n",
    'package.json': '{ "type": "commonjs" }',
  })
})

afterAll(() => place.remove())

describe('holdfast run', () => {
  it('runs a TypeScript file in a directory that has nothing, not even an ES module package', async () => {
    const { code, stdout, stderr } = await place.run('run', './reporting.ts', '--input', '{"path":"."}', '--id', 'r1')
    expect(stdout).toBe('# Report\n\nAll is well.\n')
    expect(stderr).toContain('look: done')
    expect(stderr).toContain('holdfast runs show r1')
    expect(code).toBe(0)
  })

  it('runs JavaScript, and prints an output without a report as JSON', async () => {
    const { code, stdout } = await place.run('run', 'plain.mjs')
    expect(JSON.parse(stdout)).toEqual({ n: 1 })
    expect(code).toBe(0)
  })

  it('prints the result as one document with --json', async () => {
    const { code, data } = await place.json('run', 'reporting.ts', '--input', '@input.json', '--tag', 'a', '--id', 'r2')
    expect(code).toBe(0)
    expect(data).toMatchObject({
      runId: 'r2',
      workflow: 'reporting',
      status: 'completed',
      success: true,
      output: { path: 'from-a-file', length: 11 },
      degraded: [],
    })
  })

  it('merges --path into the input, as an absolute path', async () => {
    const { data } = await place.json<{ output: { path: string } }>('run', 'reporting.ts', '--path', 'here')
    expect(data.output.path).toBe(`${place.directory}/here`)
  })

  it('takes the input from stdin', async () => {
    const { code, stdout } = await place.feed('{"path":"piped"}', 'run', 'reporting.ts', '--input', '-', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ output: { path: 'piped' } })
    expect(code).toBe(0)
  })

  it('keeps stdout for the data: what the workflow prints goes to stderr', async () => {
    const { stdout, stderr } = await place.run('run', 'unruly.ts')
    expect(stdout).toBe('"calm"\n')
    expect(stderr).toContain('printed by the workflow')
  })

  it('gives the same run for the same id and input, and refuses another input', async () => {
    await place.run('run', 'unruly.ts', '--id', 'same')
    const again = await place.json('run', 'unruly.ts', '--id', 'same')
    expect(again.data).toMatchObject({ runId: 'same', attempts: 1 })
    const other = await place.json('run', 'unruly.ts', '--id', 'same', '--input', '{"how":"x"}')
    expect(other).toMatchObject({ code: 2, data: { error: { code: 'run_conflict' } } })
  })

  it('exits 1 for a run that failed, and says why and how to look closer without a stack', async () => {
    const { code, stdout, stderr } = await place.run('run', 'unruly.ts', '--input', '{"how":"fail"}', '--id', 'f1')
    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toContain("stage 'act'")
    expect(stderr).toContain('no such luck')
    expect(stderr).toContain('holdfast runs events f1')
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  it('keeps a readable log of the day, with the reason of a failure and what to do', async () => {
    await place.run('run', 'unruly.ts', '--input', '{"how":"fail"}', '--id', 'l1')
    const [file = ''] = readdirSync(join(place.directory, '.holdfast/logs'))
    expect(file).toMatch(/^workflow-\d{8}\.log$/)
    const lines = readFileSync(join(place.directory, '.holdfast/logs', file), 'utf8').split('\n')
    const ofRun = lines.filter(line => line.includes(' - [l1] '))
    expect(ofRun[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z - run - INFO - \[l1\] workflow 'unruly' version 1 started$/)
    expect(ofRun.join('\n')).toMatch(/- stage - ERROR - \[l1\] act failed \(\d+ms\): TypeError: no such luck/)
    expect(ofRun.join('\n')).toMatch(/- run - ERROR - \[l1\] error context: type runtime, category/)
    expect(ofRun.join('\n')).toMatch(/- run - INFO - \[l1\] recommendation: /)
  })

  it('exits 0 for a run that degraded, and 6 with --strict', async () => {
    const calm = await place.run('run', 'unruly.ts', '--input', '{"how":"degrade"}')
    expect(calm.stderr).toContain('degraded: act: git is missing')
    expect(calm.code).toBe(0)
    const strict = await place.run('run', 'unruly.ts', '--input', '{"how":"degrade"}', '--strict')
    expect(strict.code).toBe(6)
  })

  it('exits 124 for a run whose time was up', async () => {
    const { code, data } = await place.json('run', 'hurried.ts')
    expect(data).toMatchObject({ status: 'failed', error: { type: 'timeout' } })
    expect(code).toBe(124)
  })

  it('exits 1 for a run that has used the time of its budget', async () => {
    const { code, data } = await place.json('run', 'slow.ts', '--input', '{"ms":60000}', '--budget', 'wallTime=300ms')
    expect(data).toMatchObject({ status: 'budget_exceeded', error: { type: 'budget' } })
    expect(code).toBe(1)
  })

  it('exits 1 and names the run when something is thrown outside of any stage', async () => {
    const { code, stderr } = await place.run('run', 'unruly.ts', '--input', '{"how":"crash"}', '--id', 'c1')
    expect(code).toBe(1)
    expect(stderr).toContain('thrown late')
    expect(stderr).toContain('holdfast resume c1')
    expect(stderr).not.toMatch(/^\s+at /m)
  })
})

describe('a run that waits for a signal', () => {
  it('exits 4 with the command that sends it; the signal and resume take it to its end, with a lost item: 6', async () => {
    const waiting = await place.run('run', 'gated.ts', '--id', 'g1')
    expect(waiting.code).toBe(4)
    expect(waiting.stderr).toContain("holdfast signal g1 approval '<JSON>'")

    const wrong = await place.json('signal', 'g1', 'approval', '{"ok":"yes"}')
    expect(wrong).toMatchObject({ code: 2, data: { error: { code: 'invalid_value' } } })
    const sent = await place.json('signal', 'g1', 'approval', '{"ok":true}')
    expect(sent).toMatchObject({ code: 0, data: { id: 'g1' } })

    const { code, data } = await place.json('resume', 'g1')
    expect(data).toMatchObject({ status: 'completed', output: { items: [1, null, 3], gate: { ok: true } } })
    expect(code).toBe(6)
  })

  it('says with --json what it waits for', async () => {
    const { code, data } = await place.json('run', 'gated.ts', '--id', 'g2')
    expect(code).toBe(4)
    expect(data).toEqual({
      id: 'g2',
      status: 'waiting',
      waitingFor: [{ stage: 'gate', kind: 'signal', name: 'approval' }],
    })
  })

  it('stays with --watch until the signal has come from another process', async () => {
    const watching = place.start('run', 'gated.ts', '--id', 'g3', '--input', '{"items":[1]}', '--watch')
    await watching.said("gate: waits for 'approval'")
    const sent = await place.run('signal', 'g3', 'approval', '{"ok":true}')
    expect(sent).toMatchObject({ code: 0 })
    expect(sent.stdout).toContain(String(watching.child.pid))
    expect((await watching.ended).code).toBe(0)
  })
})
