/**
 * Where in a workflow file something was thrown, read from the stack, from what the translator said, or, for a syntax
 * error in JavaScript, which carries no place, from a check of the file by Node.
 */
import { spawnSync } from 'node:child_process'
import { relative } from 'node:path'
import { pathToFileURL } from 'node:url'

export interface Place {
  /** What was thrown, as one sentence part. */
  readonly said: string
  /** `wf.ts:3:5` */
  readonly at?: string | undefined
  readonly line?: number | undefined
  readonly column?: number | undefined
}

export function placeOf(thrown: unknown, file: string): Place {
  const { name, message, stack } = asError(thrown)
  const transformed = /^(?:Transform failed|Build failed)[^\n]*\n(?:.*?):(\d+):(\d+): ERROR: (.*)/.exec(message)
  if (transformed) {
    const [, line, column, said] = transformed
    return { said: `syntax error: ${said}`, ...placed(file, Number(line), Number(column) + 1) }
  }
  const said = message === '' ? name : name === 'Error' || name === '' ? message : `${name}: ${message}`
  const position = positionIn(stack, file) ?? (name === 'SyntaxError' ? checkedPosition(file) : undefined)
  return position
    ? { said: said.split('\n')[0] as string, ...placed(file, ...position) }
    : { said: said.split('\n')[0] as string }
}

function asError(thrown: unknown): { name: string; message: string; stack: string } {
  const { name, message, stack } = (thrown ?? {}) as { name?: unknown; message?: unknown; stack?: unknown }
  return {
    name: typeof name === 'string' ? name : 'Error',
    message: typeof message === 'string' ? message : `${String(thrown)} was thrown, which is no error`,
    stack: typeof stack === 'string' ? stack : '',
  }
}

/** The first line and column of the file in a stack; a syntax error has only a line, in the first line of its stack. */
function positionIn(stack: string, file: string): [number, number | undefined] | undefined {
  for (const name of [pathToFileURL(file).href, file]) {
    const from = stack.indexOf(`${name}:`)
    if (from < 0) continue
    const found = /^:(\d+)(?::(\d+))?/.exec(stack.slice(from + name.length))
    if (found) return [Number(found[1]), found[2] === undefined ? undefined : Number(found[2])]
  }
  return undefined
}

function checkedPosition(file: string): [number, number | undefined] | undefined {
  const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', env: {}, timeout: 10_000 })
  return positionIn(stderr ?? '', file)
}

function placed(file: string, line: number, column: number | undefined): Omit<Place, 'said'> {
  const shown = relative(process.cwd(), file) || file
  return { at: `${shown}:${line}${column === undefined ? '' : `:${column}`}`, line, column }
}
