/** From what a command printed to a finding: the place that the output points to, and its first telling line. */
import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { maskSecrets } from '../masking.ts'

export interface Place {
  readonly file: string
  readonly line: number
}

const messageLimit = 300

/** `path:12:3`, `path:12`, `(path:12:3)`, `file:///path:12:3`; of Python `path:12: in f`. */
const placePattern = /(?:file:\/\/)?((?:(?<![\w:])[A-Za-z]:)?[^\s:()'"`<>|,]+\.[A-Za-z]{1,5}):(\d+)(?::\d+)?/g

export interface PlaceFacts {
  /** Absolute: the repository. */
  readonly root: string
  /** Absolute: where the command was started. */
  readonly cwd: string
  /** The file that the command was about, relative to the root. */
  readonly about: string
  /** @default whether there is one on the disk */
  readonly isFile?: ((path: string) => boolean) | undefined
}

/**
 * The place in the file it is about that the text names first, else the first in the repository, else the start of that
 * file. A relative path counts from where the command was started, or from the directory of the file, as Go means it.
 */
export function placeIn(text: string, { root, cwd, about, isFile = existsSync }: PlaceFacts): Place {
  const bases = [cwd, dirname(join(root, about))]
  const places = [...plain(text).matchAll(placePattern)].flatMap(([whole, named = '', line = '1']) => {
    const path = whole.startsWith('file://') ? toPath(`file://${named}`) : named
    const found = bases.map(base => resolve(base, path)).find(isFile)
    const file = found === undefined ? undefined : pathInside(root, cwd, found)
    return file === undefined ? [] : [{ file, line: Math.max(1, Number(line)) }]
  })
  return places.find(({ file }) => file === about) ?? places[0] ?? { file: about, line: 1 }
}

function toPath(url: string): string {
  try {
    return fileURLToPath(url)
  } catch {
    return url
  }
}

/** A path as one relative to the root; undefined for what is outside of it or belongs to a dependency. */
export function pathInside(root: string, cwd: string, path: string): string | undefined {
  const inside = relative(root, isAbsolute(path) ? path : join(cwd, path))
  if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) return undefined
  const file = inside.split(sep).join('/')
  return /(?:^|\/)node_modules\//.test(file) ? undefined : file
}

/** The first line of a message, for people: without colours and secrets, and not too long. */
export function firstLine(text: string): string {
  return shortened(meaningfulLines(text)[0] ?? '')
}

/** Of a whole output the first line that speaks of an error, else the first one. */
export function tellingLine(output: string): string {
  const lines = meaningfulLines(output)
  const telling = /\b\w*Error\b|\berror\b|\bpanic\b|\bfail(?:ed|ure)?\b|\bfatal\b|\bcannot\b|\bnot found\b/i
  return shortened(lines.find(line => telling.test(line)) ?? lines[0] ?? '')
}

function meaningfulLines(text: string): string[] {
  return plain(maskSecrets(text))
    .split(/\r?\n/)
    .map(line => line.trim())
    .filter(line => line !== '' && !/^(?:at |\^+$|[-=~_*#|>.]+$|node:internal|Node\.js v)/.test(line))
}

export function shortened(text: string, limit = messageLimit): string {
  const flat = text.replace(/\s+/g, ' ').trim()
  return flat.length <= limit ? flat : `${flat.slice(0, limit - 1)}…`
}

/** Without terminal colours and control characters. */
function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this takes out
  return text.replace(/\u001b\[[\d;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f]/g, '')
}
