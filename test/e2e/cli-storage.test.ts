/**
 * A disk that is really full, and a directory that this user really may not write. Both need more of the machine than a
 * test can count on: a file system of its own (a mount namespace), and a user who is not root.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CliPlace, createCliPlace } from '../support/cli.ts'
import { projectRoot } from '../support/import-graph.ts'

const main = join(projectRoot, 'dist/src/cli/main.js')
const node = JSON.stringify(process.execPath)
const isRoot = process.getuid?.() === 0

const filler = `
  import { appendFileSync } from 'node:fs'
  import { defineWorkflow } from 'holdfast'
  const fill = (stage: string, bytes: number) => {
    appendFileSync('ran', stage)
    return stage.repeat(bytes)
  }
  export default defineWorkflow({ name: 'filler', version: '1' })
    .stage('a', () => fill('a', 200_000))
    .stage('b', () => fill('b', 200_000))
    .stage('c', () => fill('c', 900_000))
    .stage('d', () => fill('d', 1))
    .output(({ results }) => Object.values(results).map(text => text.length))
`

let place: CliPlace

beforeEach(() => {
  place = createCliPlace({ 'filler.ts': filler })
  // Another user is to find his way to it.
  chmodSync(place.directory, 0o755)
})

afterEach(() => place.remove())

const unshare = isRoot ? ['-m'] : ['-rm']
const inNamespace = (script: string, cwd: string) =>
  spawnSync('unshare', [...unshare, 'sh', '-c', script], { cwd, encoding: 'utf8' })
const canMount = inNamespace('mount -t tmpfs -o size=1m tmpfs /mnt', '/').status === 0
const written = (file: string): string => readFileSync(join(place.directory, file), 'utf8').trim()

describe('a disk that is full', () => {
  it.skipIf(!canMount)('ends the run with what to do, exit 1; with room again it goes on where it was', () => {
    mkdirSync(join(place.directory, 'disk'))
    const { status } = inNamespace(
      `mount -t tmpfs -o size=1m tmpfs disk || exit 99
      ${node} ${main} run ./filler.ts --dir disk --id r >out 2>err; echo $? >code
      ${node} ${main} runs show r --dir disk --json >shown
      mount -o remount,size=16m disk || exit 98
      ${node} ${main} resume r --dir disk --json >resumed`,
      place.directory,
    )
    expect(written('err')).toMatch(/^error: .*disk is full.*What was acknowledged is safe.*\nhint: free some space/m)
    expect(written('code')).toBe('1')
    expect(JSON.parse(written('shown'))).toMatchObject({ id: 'r', status: 'running' })
    expect(JSON.parse(written('resumed'))).toMatchObject({ success: true, output: [200_000, 200_000, 900_000, 1] })
    expect(status).toBe(0)
    // What was recorded was not done again; what did not fit was.
    expect(written('ran')).toBe('abccd')
  })

  it.skipIf(!canMount)('that has no room for a store at all starts nothing', () => {
    mkdirSync(join(place.directory, 'disk'))
    const { status, stderr } = inNamespace(
      `mount -t tmpfs -o size=40k tmpfs disk || exit 99
      exec ${node} ${main} run ./filler.ts --dir disk`,
      place.directory,
    )
    expect(stderr).toMatch(/^error: .*no room left/m)
    expect(status).toBe(1)
    expect(readdirSync(place.directory)).not.toContain('ran')
  })
})

/** As a user whom file modes bind. */
const asNobody = (...args: readonly string[]) =>
  spawnSync(process.execPath, [main, ...args], {
    cwd: place.directory,
    encoding: 'utf8',
    ...(isRoot ? { uid: 65534, gid: 65534 } : {}),
  })

describe('a directory that this user may not write', () => {
  it.skipIf(isRoot && spawnSync(process.execPath, [main, '--version'], { uid: 65534, gid: 65534 }).status !== 0)(
    'starts nothing, exit 1, with what to do; what only reads finds nothing there',
    () => {
      mkdirSync(join(place.directory, 'closed'), { mode: 0o555 })
      for (const directory of ['closed', 'closed/inside']) {
        const { status, stderr } = asNobody('run', './filler.ts', '--dir', directory)
        expect(stderr).toMatch(
          /^error: .*that this user may write\. Change the permissions.*\nhint: change the permissions/m,
        )
        expect(status).toBe(1)
      }
      expect(asNobody('runs', 'list', '--dir', 'closed', '--json')).toMatchObject({ status: 0 })
      expect(readdirSync(join(place.directory, 'closed'))).toEqual([])
      expect(readdirSync(place.directory)).not.toContain('ran')
    },
  )
})
