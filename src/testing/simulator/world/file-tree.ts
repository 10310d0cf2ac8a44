/**
 * The files of a simulation: a tree in memory that fails with the errors of Node. It outlives every process of its seed.
 * Directories, files and hard links; there are no symbolic links, no owners and no permissions in it.
 */
import { dirname, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A path as the functions of `node:fs` take it. */
export type FilePath = string | URL | Buffer

interface FileEntry {
  readonly kind: 'file'
  bytes: Buffer
  links: number
  changedMs: number
}

interface DirectoryEntry {
  readonly kind: 'directory'
  readonly changedMs: number
}

export type Entry = FileEntry | DirectoryEntry

/** A name in a directory, and what it stands for. */
export interface Named {
  readonly name: string
  readonly parent: string
  readonly entry: Entry
}

const messages: Readonly<Record<string, readonly [errno: number, message: string]>> = {
  ENOENT: [-2, 'no such file or directory'],
  EIO: [-5, 'i/o error'],
  EEXIST: [-17, 'file already exists'],
  ENOTDIR: [-20, 'not a directory'],
  EISDIR: [-21, 'illegal operation on a directory'],
  EINVAL: [-22, 'invalid argument'],
  ENOSPC: [-28, 'no space left on device'],
  ENOTEMPTY: [-39, 'directory not empty'],
}

/** The error that Node throws for that code. */
export function fileError(code: string, syscall: string, path: string, dest?: string): Error {
  const [errno, message] = messages[code] ?? [-1, code]
  const places = dest === undefined ? `'${path}'` : `'${path}' -> '${dest}'`
  return Object.assign(new Error(`${code}: ${message}, ${syscall} ${places}`), {
    errno,
    code,
    syscall,
    path,
    ...(dest === undefined ? {} : { dest }),
  })
}

export const placeOf = (path: FilePath): string => resolve(path instanceof URL ? fileURLToPath(path) : String(path))

export class FileTree {
  readonly #entries = new Map<string, Entry>()
  readonly #now: () => number

  /** @param files texts or bytes by path; their directories are made */
  constructor(files: Readonly<Record<string, string | Uint8Array>>, now: () => number) {
    this.#now = now
    for (const [path, content] of Object.entries(files)) {
      this.makeDirectories(dirname(placeOf(path)))
      this.write(path, Buffer.from(content as string), 'w', 'open')
    }
  }

  /** All files with their content as text, by absolute path, in order. */
  get texts(): Readonly<Record<string, string>> {
    const files = [...this.#entries].flatMap(([path, entry]) =>
      entry.kind === 'file' ? [[path, entry.bytes.toString('utf8')] as const] : [],
    )
    return Object.fromEntries(files.sort(([one], [other]) => (one < other ? -1 : 1)))
  }

  find(path: FilePath): Entry | undefined {
    const place = placeOf(path)
    return place === dirname(place) ? { kind: 'directory', changedMs: 0 } : this.#entries.get(place)
  }

  /** @throws ENOENT, ENOTDIR */
  entry(path: FilePath, syscall: string): Entry {
    const found = this.find(path)
    if (found) return found
    throw fileError(this.#isUnderFile(placeOf(path)) ? 'ENOTDIR' : 'ENOENT', syscall, String(path))
  }

  read(path: FilePath): Buffer {
    const entry = this.entry(path, 'open')
    if (entry.kind === 'directory') throw fileError('EISDIR', 'read', String(path))
    return Buffer.from(entry.bytes)
  }

  /** @param flag as of `fs.writeFile`: `w`, `wx`, `a`, `ax` */
  write(path: FilePath, bytes: Buffer, flag: string, syscall: string): void {
    const place = placeOf(path)
    this.expectDirectory(dirname(place), syscall, path)
    const there = this.find(place)
    if (there && flag.includes('x')) throw fileError('EEXIST', syscall, String(path))
    if (there?.kind === 'directory') throw fileError('EISDIR', syscall, String(path))
    if (!there) {
      this.#entries.set(place, { kind: 'file', bytes: Buffer.from(bytes), links: 1, changedMs: this.#now() })
      return
    }
    there.bytes = flag.startsWith('a') ? Buffer.concat([there.bytes, bytes]) : Buffer.from(bytes)
    there.changedMs = this.#now()
  }

  names(path: FilePath): readonly Named[] {
    const parent = placeOf(path)
    if (this.entry(path, 'scandir').kind === 'file') throw fileError('ENOTDIR', 'scandir', String(path))
    return [...this.#entries]
      .filter(([place]) => dirname(place) === parent && place !== parent)
      .map(([place, entry]) => ({ name: place.slice(join(parent, sep).length), parent, entry }))
      .sort((one, other) => (one.name < other.name ? -1 : 1))
  }

  makeDirectory(path: FilePath): void {
    const place = placeOf(path)
    if (this.find(place)) throw fileError('EEXIST', 'mkdir', String(path))
    this.expectDirectory(dirname(place), 'mkdir', path)
    this.#entries.set(place, { kind: 'directory', changedMs: this.#now() })
  }

  /** @returns the first one that was made, or undefined where all were there */
  makeDirectories(path: FilePath, code = 'EEXIST'): string | undefined {
    const place = placeOf(path)
    const there = this.find(place)
    if (there?.kind === 'file') throw fileError(code, 'mkdir', String(path))
    if (there) return undefined
    const first = this.makeDirectories(dirname(place), 'ENOTDIR')
    this.makeDirectory(place)
    return first ?? place
  }

  remove(path: FilePath, syscall: 'unlink' | 'rmdir'): void {
    const place = placeOf(path)
    const entry = this.entry(path, syscall)
    if (syscall === 'unlink' && entry.kind === 'directory') throw fileError('EISDIR', syscall, String(path))
    if (syscall === 'rmdir' && entry.kind === 'file') throw fileError('ENOTDIR', syscall, String(path))
    if (entry.kind === 'directory' && this.names(path).length > 0) throw fileError('ENOTEMPTY', syscall, String(path))
    if (entry.kind === 'file') entry.links--
    this.#entries.delete(place)
  }

  removeAll(path: FilePath): void {
    const place = placeOf(path)
    for (const [known, entry] of [...this.#entries]) {
      if (!isWithin(known, place)) continue
      if (entry.kind === 'file') entry.links--
      this.#entries.delete(known)
    }
  }

  rename(from: FilePath, to: FilePath): void {
    const [source, target] = [placeOf(from), placeOf(to)]
    const entry = this.entry(from, 'rename')
    this.expectDirectory(dirname(target), 'rename', from)
    if (source === target) return
    if (isWithin(target, source)) throw fileError('EINVAL', 'rename', String(from), String(to))
    const there = this.find(target)
    if (there && there.kind !== entry.kind)
      throw fileError(there.kind === 'file' ? 'ENOTDIR' : 'EISDIR', 'rename', String(from), String(to))
    if (there?.kind === 'directory' && this.names(target).length > 0)
      throw fileError('ENOTEMPTY', 'rename', String(from), String(to))
    for (const [known, moved] of [...this.#entries]) {
      if (!isWithin(known, source)) continue
      this.#entries.delete(known)
      this.#entries.set(target + known.slice(source.length), moved)
    }
  }

  link(from: FilePath, to: FilePath): void {
    const entry = this.entry(from, 'link')
    const target = placeOf(to)
    if (this.find(target)) throw fileError('EEXIST', 'link', String(from), String(to))
    this.expectDirectory(dirname(target), 'link', from)
    if (entry.kind === 'directory') throw fileError('EINVAL', 'link', String(from), String(to))
    entry.links++
    this.#entries.set(target, entry)
  }

  expectDirectory(place: string, syscall: string, asked: FilePath): void {
    const parent = this.find(place)
    if (parent?.kind === 'directory') return
    throw fileError(parent || this.#isUnderFile(place) ? 'ENOTDIR' : 'ENOENT', syscall, String(asked))
  }

  #isUnderFile(place: string): boolean {
    for (let above = dirname(place); above !== dirname(above); above = dirname(above)) {
      if (this.#entries.get(above)?.kind === 'file') return true
    }
    return false
  }
}

const isWithin = (place: string, directory: string): boolean => place === directory || place.startsWith(directory + sep)
