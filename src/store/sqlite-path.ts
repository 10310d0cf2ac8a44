/** The one name of a file, so that two paths to it are one store. */
import { lstatSync, readlinkSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

/** The path without symbolic links, also where the file, its directory or what a link leads to is still to be made. */
export function realPathOf(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if ((code !== 'ENOENT' && code !== 'ENOTDIR') || dirname(path) === path) throw error
  }
  const directory = realPathOf(dirname(path))
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()
  return isLink ? realPathOf(resolve(directory, readlinkSync(path))) : join(directory, basename(path))
}
