/**
 * An empty directory in which Holdfast is installed from its own tarball, as a user would have it. What the package
 * declares to need is linked from this repository, so nothing is downloaded; what it does not declare, or only as optional, is not there.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { projectRoot } from './import-graph.ts'

export interface PackedProject {
  readonly directory: string
  /** What is in the tarball, as paths with `/`. */
  readonly files: readonly string[]
  remove(): void
}

interface PackageJson {
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>
}

/** Packs `dist` as it is: build first. */
export function packProject(): PackedProject {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-packed-'))
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', directory], {
    cwd: projectRoot,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [{ filename, files }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }]
  const modules = join(directory, 'node_modules')
  mkdirSync(join(modules, 'holdfast'), { recursive: true })
  execFileSync('tar', ['-xzf', join(directory, filename), '-C', join(modules, 'holdfast'), '--strip-components=1'])
  const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
    readFileSync(join(modules, 'holdfast', 'package.json'), 'utf8'),
  ) as PackageJson
  for (const name of Object.keys({ ...dependencies, ...peerDependencies })) {
    if (peerDependenciesMeta[name]?.optional) continue
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(projectRoot, 'node_modules', name), join(modules, name))
  }
  return {
    directory,
    files: files.map(({ path }) => path),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}
