/** The toolchains outside of Node that tests may need, each looked for once, when first asked for. */
import { join } from 'node:path'
import { childEnvironment } from '../../../config/child-environment.ts'
import { runProcess } from '../../processes/run-process.ts'
import { exists } from './packages.ts'

export interface Tools {
  /** A Python that has pytest: the project's own environment first. */
  pytest(): Promise<string | undefined>
  go(): Promise<string | undefined>
}

const answerMs = 15_000

export function toolsOf(root: string, signal: AbortSignal): Tools {
  const answers = async (command: string, args: readonly string[]): Promise<boolean> => {
    const end = await runProcess({ command, args, cwd: root, env: childEnvironment(), timeoutMs: answerMs, signal })
    return end.end === 'exited' && end.exitCode === 0
  }
  const findPytest = async (): Promise<string | undefined> => {
    const own = ['.venv/bin/python', 'venv/bin/python'].map(path => join(root, path))
    for (const python of [...own, 'python3', 'python']) {
      const isPath = own.includes(python)
      if ((!isPath || (await exists(python))) && (await answers(python, ['-m', 'pytest', '--version']))) return python
    }
    return undefined
  }
  const findGo = async (): Promise<string | undefined> => ((await answers('go', ['version'])) ? 'go' : undefined)
  return { pytest: once(findPytest), go: once(findGo) }
}

function once<T>(find: () => Promise<T>): () => Promise<T> {
  let found: Promise<T> | undefined
  return () => {
    found ??= find()
    return found
  }
}
