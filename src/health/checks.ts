/** The checks that are built in: the Node version, room and write access where the run works, and git. */
import { execFile } from 'node:child_process'
import { access, constants, statfs } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { HealthCheck, HealthFinding } from './check.ts'

const run = promisify(execFile)

const oldestNode = { major: 20, minor: 19 }
/** Less free space than this is a fault: a commit may fail at any moment. */
const leastFreeBytes = 64 * 1024 * 1024

const nodeCheck: HealthCheck = {
  name: 'node',
  critical: true,
  check() {
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
    const healthy = major > oldestNode.major || (major === oldestNode.major && minor >= oldestNode.minor)
    return {
      healthy,
      message: healthy
        ? `Node ${process.versions.node}`
        : `Node ${process.versions.node} is older than ${oldestNode.major}.${oldestNode.minor}`,
    }
  },
}

const diskCheck: HealthCheck = {
  name: 'disk',
  critical: true,
  async check({ cwd }) {
    try {
      await access(cwd, constants.R_OK)
    } catch {
      return { healthy: false, message: `${cwd} cannot be read` }
    }
    const { bavail, bsize } = await statfs(cwd)
    const free = bavail * bsize
    const megabytes = `${Math.round(free / 1024 / 1024)} MB free`
    return {
      healthy: free >= leastFreeBytes,
      message: free >= leastFreeBytes ? megabytes : `only ${megabytes} at ${cwd}`,
    }
  },
}

const gitCheck: HealthCheck = {
  name: 'git',
  critical: false,
  async check({ cwd, signal }): Promise<HealthFinding> {
    try {
      const { stdout } = await run('git', ['status', '--porcelain', '--untracked-files=no'], {
        cwd,
        signal,
        maxBuffer: 16 * 1024 * 1024,
      })
      return { healthy: true, message: stdout.trim() === '' ? 'clean' : 'dirty' }
    } catch (error) {
      const { code, stderr = '' } = error as { code?: unknown; stderr?: string }
      if (code === 'ENOENT') return { healthy: false, message: 'git is not installed' }
      if (stderr.includes('not a git repository')) return { healthy: false, message: `${cwd} is no git repository` }
      return { healthy: false, message: `git failed: ${stderr.trim().split('\n')[0] ?? 'without saying why'}` }
    }
  },
}

export const builtInChecks: readonly HealthCheck[] = [nodeCheck, diskCheck, gitCheck]
