/**
 * The packages of a repository and what is installed for them, as Node would find it: upwards from a directory. Reads
 * each `package.json` once; never installs and never asks a registry.
 */
import { access, readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export interface Manifest {
  /** Absolute: where the package.json is. */
  readonly directory: string
  readonly scripts: Readonly<Record<string, string>>
  /** Names of all dependencies, of every kind. */
  readonly dependencies: ReadonlySet<string>
  readonly content: Readonly<Record<string, unknown>>
}

/** What an examination has read so far, so that it reads nothing twice. */
export interface Packages {
  /** The nearest package.json, in the directory or above it. */
  nearest(directory: string): Promise<Manifest | undefined>
  /** The directory of a locally installed package. */
  installed(directory: string, name: string): Promise<string | undefined>
  /** The program that an installed package has under this name; absolute. */
  program(directory: string, name: string, bin?: string): Promise<string | undefined>
  /** What is in a directory; nothing where there is none. */
  fileNames(directory: string): Promise<readonly string[]>
  /** Every package.json that was looked at and is no JSON, absolute. */
  unreadable(): readonly string[]
}

export function packagesOnDisk(): Packages {
  const manifests = new Map<string, Promise<Manifest | undefined>>()
  const packageDirectories = new Map<string, Promise<string | undefined>>()

  const listings = new Map<string, Promise<readonly string[]>>()
  const fileNames = remembered(listings, (directory: string) => readdir(directory).catch(() => []))
  const unreadable: string[] = []
  const manifestIn = remembered(manifests, (directory: string) => readManifest(directory, unreadable))
  const nearest = async (directory: string): Promise<Manifest | undefined> => {
    for (const candidate of upwards(directory)) {
      const manifest = await manifestIn(candidate)
      if (manifest) return manifest
    }
    return undefined
  }
  const lookUp = remembered(packageDirectories, async (key: string) => {
    const [directory, name] = key.split('\0') as [string, string]
    for (const candidate of upwards(directory)) {
      const found = join(candidate, 'node_modules', name)
      if (await exists(join(found, 'package.json'))) return found
    }
    return undefined
  })
  const installed = (directory: string, name: string): Promise<string | undefined> => lookUp(`${directory}\0${name}`)
  const program = async (directory: string, name: string, bin = name): Promise<string | undefined> => {
    const found = await installed(directory, name)
    const manifest = found === undefined ? undefined : await manifestIn(found)
    const path = binOf(manifest?.content.bin, bin)
    return found !== undefined && path !== undefined ? join(found, path) : undefined
  }
  return { nearest, installed, program, fileNames, unreadable: () => unreadable }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}

export function* upwards(directory: string): Generator<string> {
  for (let current = directory; ; current = dirname(current)) {
    yield current
    if (dirname(current) === current) return
  }
}

function remembered<T>(
  memory: Map<string, Promise<T>>,
  find: (key: string) => Promise<T>,
): (key: string) => Promise<T> {
  return key => {
    const known = memory.get(key) ?? find(key)
    memory.set(key, known)
    return known
  }
}

/** Undefined where there is none, or what there is says nothing; one that is no JSON is noted. */
async function readManifest(directory: string, unreadable: string[]): Promise<Manifest | undefined> {
  const path = join(directory, 'package.json')
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    const content: unknown = JSON.parse(text)
    return isRecord(content) ? manifestOf(directory, content) : undefined
  } catch {
    unreadable.push(path)
    return undefined
  }
}

function manifestOf(directory: string, content: Readonly<Record<string, unknown>>): Manifest {
  const scripts = isRecord(content.scripts) ? Object.entries(content.scripts) : []
  const kinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']
  return {
    directory,
    scripts: Object.fromEntries(scripts.filter((entry): entry is [string, string] => typeof entry[1] === 'string')),
    dependencies: new Set(kinds.flatMap(kind => (isRecord(content[kind]) ? Object.keys(content[kind]) : []))),
    content,
  }
}

function binOf(bin: unknown, name: string): string | undefined {
  if (typeof bin === 'string') return bin
  const path = isRecord(bin) ? bin[name] : undefined
  return typeof path === 'string' ? path : undefined
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
