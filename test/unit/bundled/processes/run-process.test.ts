import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { type ProcessSpec, runProcess } from '../../../../src/bundled/processes/run-process.ts'
import { childEnvironment } from '../../../../src/config/child-environment.ts'
import { emptyProject, isAlive, neverAborted } from '../project.ts'

const nodeScript = (script: string, more: Partial<ProcessSpec> = {}): ProcessSpec => ({
  command: process.execPath,
  args: ['-e', script],
  cwd: process.cwd(),
  env: childEnvironment(),
  timeoutMs: 20_000,
  signal: neverAborted,
  ...more,
})

/** Starts a grandchild that ignores SIGTERM, reports both ids, and ignores SIGTERM itself. */
const stubborn = (report: 'print' | 'write'): string => `
  process.on('SIGTERM', () => {})
  const child = require('child_process').spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)'])
  child.stdout.once('data', () => {
    const ids = process.pid + ' ' + child.pid
    ${report === 'print' ? 'console.log(ids)' : "require('fs').writeFileSync('ids.part', ids); require('fs').renameSync('ids.part', 'ids')"}
  })
  setInterval(() => {}, 1000)`

const idsIn = (output: string): number[] => output.trim().split(/\s+/).map(Number)

describe('a child process', () => {
  test('gives its output and its exit code', async () => {
    const end = await runProcess(nodeScript('console.log("out"); console.error("err"); process.exitCode = 3'))
    expect(end).toMatchObject({ end: 'exited', exitCode: 3, stdout: 'out\n', stderr: 'err\n', truncated: false })
  })

  test('has nothing to read and only the environment that it is given', async () => {
    const script = 'process.stdin.on("data", () => {}).on("end", () => console.log(process.env.SECRET ?? "none"))'
    process.env.SECRET = 'x'
    try {
      expect((await runProcess(nodeScript(script))).stdout).toBe('none\n')
    } finally {
      delete process.env.SECRET
    }
  })

  test('keeps the end of a long output', async () => {
    const script = 'for (let i = 0; i < 20000; i++) console.log("line " + i)'
    const end = await runProcess(nodeScript(script, { outputLimit: 1000 }))
    expect(end.truncated).toBe(true)
    expect(end.stdout).toHaveLength(1000)
    expect(end.stdout).toMatch(/line 19999\n$/)
  })

  test('that does not exist says so', async () => {
    const end = await runProcess(nodeScript('', { command: 'there-is-no-such-command', args: [] }))
    expect(end).toMatchObject({ end: 'not-started', exitCode: null })
    expect(end.error).toContain('there-is-no-such-command')
  })

  test('in a directory that does not exist is not started', async () => {
    const end = await runProcess(nodeScript('', { cwd: '/there/is/no/such/directory' }))
    expect(end.end).toBe('not-started')
  })

  test('that kills itself was signalled', async () => {
    expect((await runProcess(nodeScript('process.kill(process.pid, "SIGKILL")'))).end).toBe('signalled')
  })

  test('that hangs is warned about at half its time and killed with all it started', async () => {
    const onSlow = vi.fn()
    const end = await runProcess(nodeScript(stubborn('print'), { timeoutMs: 8000, graceMs: 100, onSlow }))
    expect(end.end).toBe('timeout')
    expect(onSlow).toHaveBeenCalledTimes(1)
    const ids = idsIn(end.stdout)
    expect(ids).toHaveLength(2)
    for (const id of ids) await vi.waitFor(() => expect(isAlive(id)).toBe(false))
  })

  test('that hangs is killed with what it started outside of its process group', async () => {
    const script = stubborn('print').replace(
      "setInterval(() => {}, 1000)'])",
      "setInterval(() => {}, 1000)'], { detached: true })",
    )
    expect(script).toContain('detached')
    const end = await runProcess(nodeScript(script, { timeoutMs: 8000, graceMs: 100 }))
    expect(end.end).toBe('timeout')
    for (const id of idsIn(end.stdout)) await vi.waitFor(() => expect(isAlive(id)).toBe(false))
  })

  test('is killed with all it started when the caller aborts, and the reason is given back', async () => {
    const directory = await emptyProject()
    const controller = new AbortController()
    const script = stubborn('write')
    const running = runProcess(nodeScript(script, { cwd: directory, signal: controller.signal, graceMs: 100 }))
    const reason = new Error('stop')
    const ids = await vi.waitFor(async () => idsIn(await readFile(join(directory, 'ids'), 'utf8')), { timeout: 10_000 })
    controller.abort(reason)
    await expect(running).rejects.toBe(reason)
    for (const id of ids) await vi.waitFor(() => expect(isAlive(id)).toBe(false))
  })

  test('leaves nothing behind when it ends by itself', async () => {
    const script = `
      const child = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
      child.once('spawn', () => { console.log(child.pid); process.exit(0) })`
    const end = await runProcess(nodeScript(script))
    expect(end).toMatchObject({ end: 'exited', exitCode: 0 })
    await vi.waitFor(() => expect(isAlive(Number(end.stdout))).toBe(false))
  })

  test('dies with the process that started it, even by kill -9', async () => {
    const directory = await emptyProject()
    const moduleUrl = resolve(import.meta.dirname, '../../../../src/bundled/processes/run-process.ts')
    const script = stubborn('write')
    await writeFile(
      join(directory, 'parent.mts'),
      `import { runProcess } from ${JSON.stringify(moduleUrl)}
       await runProcess({ command: process.execPath, args: ['-e', ${JSON.stringify(script)}], cwd: ${JSON.stringify(directory)},
         env: {}, timeoutMs: 60000, signal: new AbortController().signal })`,
    )
    const tsx = import.meta.resolve('tsx')
    const parent = spawn(process.execPath, ['--import', tsx, join(directory, 'parent.mts')], {
      env: childEnvironment(),
    })
    const ids = await vi.waitFor(async () => idsIn(await readFile(join(directory, 'ids'), 'utf8')), { timeout: 15_000 })
    parent.kill('SIGKILL')
    for (const id of ids) await vi.waitFor(() => expect(isAlive(id)).toBe(false), { timeout: 5000 })
  })

  test('is not started when the caller has aborted already', async () => {
    const signal = AbortSignal.abort(new Error('stop'))
    await expect(runProcess(nodeScript('', { signal }))).rejects.toThrow('stop')
  })
})
