/** Other versions of Node to compare with: their binaries come from npm, and are kept in node_modules/.cache. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

export interface NodeVersion {
  /** `22`. */
  readonly name: string
  readonly binary: string
}

const compared = ['20', '22', '24']
const cache = resolve('node_modules', '.cache', 'holdfast-nodes')
const platform = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
const binaryOf = (name: string): string => join(cache, name, 'node_modules', platform, 'bin', 'node')
const ownName = process.versions.node.split('.')[0]

/** Those that are here, this one left out. */
export const installedVersions = (): readonly NodeVersion[] =>
  compared
    .filter(name => name !== ownName && existsSync(binaryOf(name)))
    .map(name => ({ name, binary: binaryOf(name) }))

/** All of them, this one left out. @throws where npm cannot bring one */
export function allVersions(): readonly NodeVersion[] {
  for (const name of compared.filter(one => one !== ownName && !existsSync(binaryOf(one)))) {
    mkdirSync(join(cache, name), { recursive: true })
    const flags = ['--no-save', '--no-audit', '--no-fund', '--prefix', join(cache, name)]
    execFileSync('npm', ['install', ...flags, `${platform}@${name}`], { stdio: 'inherit' })
  }
  return installedVersions()
}
