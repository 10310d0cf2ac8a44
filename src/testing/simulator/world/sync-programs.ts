/** The functions of Node that wait for a program without letting anything else go on, over simulated programs. */
import type { Callable, Place } from '../place.ts'
import type { SimulatedPrograms } from './programs.ts'

interface SyncOptions {
  readonly cwd?: string | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly encoding?: string | undefined
  readonly shell?: boolean | string | undefined
}

export function syncPrograms(place: Place, programs: SimulatedPrograms): Readonly<Record<string, Callable>> {
  const run = (file: string, args: readonly string[], options: SyncOptions): Record<string, unknown> => {
    const { cwd, env = {}, encoding, shell } = options
    const isShell = shell !== undefined && shell !== false
    const command = isShell
      ? [typeof shell === 'string' ? shell : '/bin/sh', '-c', [file, ...args].join(' ')]
      : [file, ...args]
    return programs.spawnSync(place, {
      file: command[0] as string,
      args: command,
      envPairs: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      ...(cwd === undefined ? {} : { cwd }),
      ...(encoding === undefined ? {} : { encoding }),
    })
  }
  return {
    spawnSync: (file, ...rest) => {
      const [args, options] = sorted(rest)
      return run(file as string, args, options)
    },
    execFileSync: (file, ...rest) => {
      const [args, options] = sorted(rest)
      return outputOf(run(file as string, args, options), [file as string, ...args].join(' '))
    },
    execSync: (line, options) =>
      outputOf(run('/bin/sh', ['-c', line as string], (options ?? {}) as SyncOptions), line as string),
  }
}

function sorted([first, second]: readonly unknown[]): [readonly string[], SyncOptions] {
  if (Array.isArray(first)) return [first as string[], (second ?? {}) as SyncOptions]
  return [[], (first ?? {}) as SyncOptions]
}

function outputOf(result: Record<string, unknown>, line: string): unknown {
  if (result.error) throw Object.assign(result.error as Error, result)
  if (result.status === 0) return result.stdout
  const said = String(result.stderr ?? '')
  throw Object.assign(new Error(`Command failed: ${line}${said === '' ? '' : `\n${said}`}`), result)
}
