/**
 * The functions of `node:fs` that a simulation has, by their names in `node:fs/promises`. Each takes what Node's takes
 * and gives what Node's gives; the callback and the synchronous forms are made of them elsewhere.
 */
import { join } from 'node:path'
import { type Entry, type FilePath, type FileTree, fileError, type Named, placeOf } from './file-tree.ts'

export interface FileCall {
  /** Whether it changes the tree: a process may die at it. */
  readonly changes: boolean
  readonly does: (tree: FileTree, given: readonly unknown[], random: () => number) => unknown
}

type Options = Readonly<Record<string, unknown>>

const optionsOf = (given: unknown): Options =>
  typeof given === 'string' ? { encoding: given } : ((given ?? {}) as Options)

const looks = (does: FileCall['does']): FileCall => ({ changes: false, does })
const changes = (does: FileCall['does']): FileCall => ({ changes: true, does })

const path = (given: readonly unknown[], place = 0): FilePath => given[place] as FilePath

const encoded = (bytes: Buffer, options: Options): unknown =>
  typeof options.encoding === 'string' && options.encoding !== 'buffer'
    ? bytes.toString(options.encoding as BufferEncoding)
    : bytes

/** The bytes that a function is asked to write. */
export function bytesOf(given: readonly unknown[]): Buffer {
  const [, data, options] = given
  if (typeof data === 'string') return Buffer.from(data, (optionsOf(options).encoding as BufferEncoding) ?? 'utf8')
  return Buffer.from(data as Uint8Array)
}

const flagOf = (given: readonly unknown[], usual: string): string => String(optionsOf(given[2]).flag ?? usual)

function statsOf(entry: Entry): Record<string, unknown> {
  const isFile = entry.kind === 'file'
  const time = new Date(entry.changedMs)
  return {
    size: isFile ? entry.bytes.length : 0,
    mode: isFile ? 0o100644 : 0o040755,
    nlink: isFile ? entry.links : 1,
    ...Object.fromEntries(['atimeMs', 'mtimeMs', 'ctimeMs', 'birthtimeMs'].map(name => [name, entry.changedMs])),
    ...Object.fromEntries(['atime', 'mtime', 'ctime', 'birthtime'].map(name => [name, time])),
    ...kindsOf(entry),
  }
}

function kindsOf({ kind }: Entry): Record<string, () => boolean> {
  const no = (): boolean => false
  return {
    isFile: () => kind === 'file',
    isDirectory: () => kind === 'directory',
    isSymbolicLink: no,
    isBlockDevice: no,
    isCharacterDevice: no,
    isFIFO: no,
    isSocket: no,
  }
}

function readDirectory(tree: FileTree, given: readonly unknown[]): unknown {
  const { withFileTypes, recursive } = optionsOf(given[1])
  const top = placeOf(path(given))
  const within = (directory: string): Named[] =>
    tree.names(directory).flatMap(named => {
      const below = recursive && named.entry.kind === 'directory' ? within(join(named.parent, named.name)) : []
      return [named, ...below]
    })
  const named = recursive ? within(top) : tree.names(path(given))
  if (withFileTypes)
    return named.map(({ name, parent, entry }) => ({ name, parentPath: parent, path: parent, ...kindsOf(entry) }))
  return named.map(({ name, parent }) => join(parent, name).slice(join(top, '/').length))
}

function remove(tree: FileTree, given: readonly unknown[]): void {
  const { recursive, force } = optionsOf(given[1])
  const entry = tree.find(path(given))
  if (!entry && force) return
  if (tree.entry(path(given), 'rm').kind === 'directory' && !recursive)
    throw fileError('EISDIR', 'rm', String(path(given)))
  tree.removeAll(path(given))
}

function makeTemporaryDirectory(tree: FileTree, given: readonly unknown[], random: () => number): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz'
  const suffix = Array.from({ length: 6 }, () => letters[Math.floor(random() * letters.length)]).join('')
  const made = `${String(path(given))}${suffix}`
  tree.makeDirectory(made)
  return made
}

function copyFile(tree: FileTree, given: readonly unknown[]): void {
  const isExclusive = (Number(given[2] ?? 0) & 1) === 1
  tree.write(path(given, 1), tree.read(path(given)), isExclusive ? 'wx' : 'w', 'copyfile')
}

/** Those that put bytes into a file: what dies in the middle of them leaves the first of these bytes. */
export const writingCalls: ReadonlySet<string> = new Set(['writeFile', 'appendFile'])

export const fileCalls: Readonly<Record<string, FileCall>> = {
  readFile: looks((tree, given) => encoded(tree.read(path(given)), optionsOf(given[1]))),
  readdir: looks(readDirectory),
  stat: looks((tree, given) => statOf(tree, given, 'stat')),
  lstat: looks((tree, given) => statOf(tree, given, 'lstat')),
  access: looks((tree, given) => void tree.entry(path(given), 'access')),
  realpath: looks((tree, given) => {
    tree.entry(path(given), 'realpath')
    return placeOf(path(given))
  }),
  writeFile: changes((tree, given) => tree.write(path(given), bytesOf(given), flagOf(given, 'w'), 'open')),
  appendFile: changes((tree, given) => tree.write(path(given), bytesOf(given), flagOf(given, 'a'), 'open')),
  copyFile: changes(copyFile),
  mkdir: changes((tree, given) =>
    optionsOf(given[1]).recursive ? tree.makeDirectories(path(given)) : tree.makeDirectory(path(given)),
  ),
  mkdtemp: changes(makeTemporaryDirectory),
  rm: changes(remove),
  rmdir: changes((tree, given) => tree.remove(path(given), 'rmdir')),
  unlink: changes((tree, given) => tree.remove(path(given), 'unlink')),
  rename: changes((tree, given) => tree.rename(path(given), path(given, 1))),
  link: changes((tree, given) => tree.link(path(given), path(given, 1))),
}

function statOf(tree: FileTree, given: readonly unknown[], syscall: string): unknown {
  if (optionsOf(given[1]).throwIfNoEntry === false && !tree.find(path(given))) return undefined
  return statsOf(tree.entry(path(given), syscall))
}
