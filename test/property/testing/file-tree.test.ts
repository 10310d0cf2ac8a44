/** The files of a simulation do what those of Node do: the same calls give the same answers and the same errors. */
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fileCalls } from '../../../src/testing/simulator/world/file-calls.ts'
import { FileTree } from '../../../src/testing/simulator/world/file-tree.ts'
import { propertyRuns } from '../../support/supervised-worker.ts'

type Asked = readonly [name: string, ...given: unknown[]]

/** A path that a call is given, told from the texts that it is given. */
class Under {
  readonly path: string
  constructor(path: string) {
    this.path = path
  }
}

const path = fc.constantFrom('.', 'a', 'b', 'a/b', 'a/c', 'a/b/c', 'b/a').map(text => new Under(text))
const text = fc.constantFrom('', 'one', 'another text')
const asked: fc.Arbitrary<Asked> = fc.oneof(
  fc.tuple(fc.constantFrom('readFile', 'readdir', 'stat', 'access', 'realpath', 'unlink', 'rmdir'), path),
  fc.tuple(fc.constant('writeFile'), path, text, fc.constantFrom({}, { flag: 'wx' }, { flag: 'a' })),
  fc.tuple(fc.constant('appendFile'), path, text),
  fc.tuple(fc.constant('mkdir'), path, fc.constantFrom({}, { recursive: true })),
  fc.tuple(fc.constant('readdir'), path, fc.constantFrom({ recursive: true }, { withFileTypes: true })),
  fc.tuple(fc.constant('copyFile'), path, path, fc.constantFrom(0, fs.constants.COPYFILE_EXCL)),
  fc.tuple(fc.constantFrom('rename', 'link'), path, path),
)

const at = (root: string, given: readonly unknown[]): unknown[] =>
  given.map(one => (one instanceof Under ? join(root, one.path) : one))

/** What came of a call, alike wherever it was made. */
function answer(root: string, call: () => unknown): unknown {
  try {
    const value = call()
    if (Array.isArray(value))
      return value.map(one => (typeof one === 'string' ? one : `${one.name} ${one.isFile()}`)).sort()
    if (value instanceof Buffer) return value.toString()
    if (typeof value === 'string') return value.replace(root, '')
    const stats = value as { isFile(): boolean; isDirectory(): boolean; size: number; nlink: number } | undefined
    return stats && { isFile: stats.isFile(), ...(stats.isFile() ? { size: stats.size, nlink: stats.nlink } : {}) }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? error
  }
}

/** Of two paths both can be wrong, and systems differ in which of them they tell of. */
const ofTwoPaths = new Set(['copyFile', 'rename', 'link'])
const mistakes = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EEXIST', 'EINVAL', 'ENOTEMPTY', 'EPERM', 'EBUSY'])
const alike = (name: string, given: unknown): unknown =>
  ofTwoPaths.has(name) && mistakes.has(given as string) ? 'a mistake' : given

describe('the files of a simulation', () => {
  it('answer every sequence of calls as the files of this machine do', () => {
    const real = fs as unknown as Record<string, (...given: unknown[]) => unknown>
    fc.assert(
      fc.property(fc.array(asked, { minLength: 1, maxLength: 25 }), calls => {
        const root = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'holdfast-tree-')))
        try {
          const tree = new FileTree({}, () => 0)
          tree.makeDirectories(root)
          for (const [name, ...given] of calls) {
            // Of a copy of a directory Node says that it failed, and removes the file in its place all the same.
            const [from] = at(root, given)
            if (name === 'copyFile' && tree.find(from as string)?.kind === 'directory') continue
            const expected = answer(root, () => real[`${name}Sync`]?.(...at(root, given)))
            const found = answer(root, () => fileCalls[name]?.does(tree, at(root, given), () => 0))
            expect([name, ...at('', given), alike(name, found)]).toEqual([
              name,
              ...at('', given),
              alike(name, expected),
            ])
          }
        } finally {
          fs.rmSync(root, { recursive: true, force: true })
        }
      }),
      { numRuns: propertyRuns },
    )
  })
})
