/** The values of flags: what cannot be meant is refused with the flag's name before anything is opened. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Budget, OptionsError, type ProfileOverrides, type RunStatus, runStatuses } from '../index.ts'
import { toMs } from '../time/duration.ts'

/** A flag that may be given more than once. */
export const collected = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

export interface InputFlags {
  /** What is no JSON is this field of the input. */
  readonly plainText?: string | undefined
  readonly input?: string | undefined
  readonly path?: string | undefined
}

/** The input of a run: `{}` where none is given; `--path` is merged into it. */
export async function parseInput({ input, path, plainText }: InputFlags): Promise<unknown> {
  const text = input === undefined ? '{}' : await textOf(input)
  const given = plainText !== undefined && !/^\s*\{/.test(text) ? { [plainText]: text } : parseJson(text, '--input')
  if (path === undefined) return given
  if (given === null || typeof given !== 'object' || Array.isArray(given)) {
    throw new OptionsError('--path: is merged into the input, which must be a JSON object for that')
  }
  return { ...given, path: resolve(path) }
}

/** @throws OptionsError that says where the text stops being JSON */
export function parseJson(text: string, flag: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text
    throw new OptionsError(
      `${flag}: this is no JSON: ${shown || '(nothing)'} — ${(error as Error).message}. Quote it for your shell, as in ${flag === '--input' ? '--input ' : ''}'{"path":"."}'`,
    )
  }
}

/** `['usd=1,calls=10']` as a budget. What its currencies may be is said by `start`. */
export function parseBudget(given: readonly string[] | undefined): Budget | undefined {
  if (given === undefined) return undefined
  const entries = given
    .flatMap(text => text.split(','))
    .map((part): readonly [string, string | number] => {
      const [currency = '', amount = '', ...more] = part.split('=').map(text => text.trim())
      if (currency === 'wallTime' && more.length === 0) return [currency, amount]
      if (currency === '' || amount === '' || more.length > 0 || !Number.isFinite(Number(amount))) throw noBudget(part)
      return [currency, Number(amount)]
    })
  return Object.fromEntries(entries) as Budget
}

const noBudget = (part: string): OptionsError =>
  new OptionsError(
    `--budget: '${part}' must be <currency>=<number>, as in 'usd=1,calls=10'; currencies are usd, tokens, calls, restarts and wallTime`,
  )

/**
 * Milliseconds since the epoch, of a date such as `2026-05-01` or of how long ago, such as `2h`.
 * @throws OptionsError
 */
export function parseSince(text: string, now: number): number {
  if (/^\d+(?:\.\d+)?\s*[a-z]+$/i.test(text)) return now - toMs(text, '--since')
  const at = Date.parse(text)
  if (!Number.isNaN(at)) return at
  throw new OptionsError(
    `--since: '${text}' is neither a date such as '2026-05-01' nor a duration such as '2h' or '7d'`,
  )
}

/** `['failed,waiting']` as statuses. */
export function parseStatuses(given: readonly string[]): RunStatus[] {
  return given
    .flatMap(text => text.split(','))
    .map(name => {
      const status = runStatuses.find(known => known === name.trim())
      if (status) return status
      throw new OptionsError(`--status: there is no status '${name}'; there are ${runStatuses.join(', ')}`)
    })
}

export function parseCount(text: string, flag: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count > 0) return count
  throw new OptionsError(`${flag}: '${text}' must be a whole number above 0`)
}

export interface OverrideFlags {
  readonly maxRetries?: string
  readonly timeoutMultiplier?: string
  readonly local?: boolean
}

/** What `--max-retries`, `--timeout-multiplier` and `--local` say. */
export function overridesOf({ maxRetries, timeoutMultiplier, local }: OverrideFlags): ProfileOverrides {
  return {
    ...(local ? { local } : {}),
    ...(maxRetries === undefined
      ? {}
      : { maxRetries: numberOf(maxRetries, '--max-retries', 'a whole number from 0', Number.isInteger, 0) }),
    ...(timeoutMultiplier === undefined
      ? {}
      : {
          timeoutMultiplier: numberOf(
            timeoutMultiplier,
            '--timeout-multiplier',
            'a number above 0, such as 1.5',
            value => value > 0,
            0,
          ),
        }),
  }
}

function numberOf(
  text: string,
  flag: string,
  what: string,
  isValid: (value: number) => boolean,
  least: number,
): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isFinite(value) && value >= least && isValid(value)) return value
  throw new OptionsError(`${flag}: '${text}' must be ${what}`)
}

/** `@file` is the text of the file, `-` what comes on stdin. */
async function textOf(given: string): Promise<string> {
  if (given === '-') {
    const chunks: Buffer[] = []
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString('utf8')
  }
  if (!given.startsWith('@')) return given
  try {
    return await readFile(given.slice(1), 'utf8')
  } catch (error) {
    const details = (error as { code?: string }).code === 'ENOENT' ? { code: 'file_not_found' } : {}
    throw new OptionsError(`--input: the file ${given.slice(1)} cannot be read: ${(error as Error).message}`, details, {
      cause: error,
    })
  }
}
