/**
 * A running Erlang/OTP for differential tests: compiles the driver into a temporary directory, starts `erl` on one
 * scheduler and gives it scenarios, one line each. `undefined` where this machine has no Erlang.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { projectRoot } from './import-graph.ts'

export interface OtpProcess {
  readonly release: string
  /** What OTP did: a list of lines for each step of the scenario. */
  run(scenario: string): Promise<string[][]>
  close(): void
}

const erlangIsHere = (): boolean => {
  const { error, status } = spawnSync('erlc', ['-help'], { stdio: 'ignore' })
  return error === undefined && status !== null
}

export async function startOtp(): Promise<OtpProcess | undefined> {
  if (!erlangIsHere()) return undefined
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-otp-'))
  const source = join(projectRoot, 'test/support/erlang/otp_driver.erl')
  const { status, stdout } = spawnSync('erlc', ['-Werror', '-o', directory, source], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`erlc: ${stdout}`)
  const erl = spawn('erl', ['+S', '1:1', '-noshell', '-pa', directory, '-s', 'otp_driver', 'main'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = linesOf(erl)
  const release = (await lines.next()).replace('ready ', '')
  return {
    release,
    async run(scenario) {
      erl.stdin.write(`${scenario}.\n`)
      return JSON.parse(await lines.next()) as string[][]
    },
    close() {
      erl.stdin.end()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function linesOf(erl: ChildProcessByStdio<Writable, Readable, null>): { next(): Promise<string> } {
  const iterator = createInterface({ input: erl.stdout })[Symbol.asyncIterator]()
  return {
    async next() {
      const { value, done } = await iterator.next()
      if (done) throw new Error(`erl ended (${erl.exitCode ?? erl.signalCode})`)
      return value
    },
  }
}
