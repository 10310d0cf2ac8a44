import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pass } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { projectRoot } from '../support/import-graph.ts'

const holdfast = join(projectRoot, 'dist/src/cli/main.js')
const example = (name: string): string => join(projectRoot, 'examples', name)

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-example-'))
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, [holdfast, ...args], { cwd: directory, encoding: 'utf8' })

const shipped = (): string[] => {
  const log = join(directory, 'shipped.log')
  return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []
}

describe('the examples', () => {
  it('greet', () => {
    const { status, stdout } = run('run', example('hello.ts'), '--input', '{"name":"kelp"}')
    expect(JSON.parse(stdout)).toEqual({ greeting: 'Hello, kelp!', letters: 12 })
    expect(status).toBe(0)
  })

  it('refuse an input of the wrong form', () => {
    const { status, stderr } = run('run', example('hello.ts'), '--input', '{"nam":"kelp"}')
    expect(stderr).toContain('name')
    expect(status).toBe(2)
  })

  it('summarise a directory without a model', () => {
    const { status, stdout } = run('run', example('digest.ts'), '--path', join(projectRoot, 'docs/adr'), '--json')
    const result = JSON.parse(stdout) as { success: boolean; output: { files: number; summary: string } }
    expect(result).toMatchObject({
      success: true,
      output: { files: readdirSync(join(projectRoot, 'docs/adr')).length },
    })
    expect(result.output.summary.length).toBeGreaterThan(100)
    expect(status).toBe(0)
  })

  it('ship every order once, although the process is killed in the middle', async () => {
    const child = spawn(process.execPath, [holdfast, 'run', example('crash-and-resume.ts'), '--id', 'orders'], {
      cwd: directory,
      stdio: 'ignore',
    })
    const ended = new Promise<NodeJS.Signals | null>(resolve => child.on('exit', (_, signal) => resolve(signal)))
    while (shipped().length < 4 && child.exitCode === null) await pass(10)
    child.kill('SIGKILL')
    expect(await ended).toBe('SIGKILL')
    const before = shipped()
    expect(before.length).toBeLessThan(10)

    expect(run('recover').status).toBe(0)

    expect(shipped().slice(0, before.length)).toEqual(before)
    const orders = shipped().map(line => line.split(' ')[0])
    expect([...new Set(orders)].sort()).toEqual([
      'ale',
      'barley',
      'cod',
      'dulse',
      'eel',
      'fig',
      'garlic',
      'honey',
      'indigo',
      'jute',
    ])
    // The write of an order and its record are two things: one that was killed between them is written again.
    expect(orders.length).toBeLessThanOrEqual(10 + 3)
    const report = JSON.parse(run('runs', 'show', 'orders', '--json').stdout) as { status: string }
    expect(report.status).toBe('completed')
  })

  it('supervise a plain XState program', () => {
    const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', example('supervised-xstate.ts')], {
      cwd: projectRoot,
      encoding: 'utf8',
    })
    expect(stdout).toContain('restart.decided fragile')
    expect(status).toBe(0)
  })
})
