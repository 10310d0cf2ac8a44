/**
 * Writes files into a directory, and nothing outside of it: no path that leads out, no link on the way. All paths are
 * looked at before the first file is written. A file that is there with the same content is left, so that writing again
 * after a crash changes nothing; with other content it is an error. Each comes to be whole or not at all: it is a draft
 * beside its place until all of it is written, so that what a death leaves is never taken for somebody's file.
 */
import { constants, copyFile, link, lstat, mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { z } from 'zod'
import { ValidationError } from '../../errors.ts'

export const newFileSchema = z.object({ path: z.string().min(1), content: z.string() })
export type NewFile = z.infer<typeof newFileSchema>

const mostFiles = 200

/** @returns the paths, relative to the directory. @throws ValidationError that names the path */
export async function writeInto(directory: string, files: readonly NewFile[]): Promise<string[]> {
  if (files.length > mostFiles) throw new ValidationError(`${files.length} files are too many; at most ${mostFiles}`)
  await mkdir(resolve(directory), { recursive: true })
  const root = await realpath(resolve(directory))
  const planned: { readonly place: string; readonly content: string }[] = []
  for (const { path, content } of files) {
    const place = placeIn(root, path)
    await refuseLinks(root, place, path)
    const there = await readFile(place, 'utf8').catch(() => undefined)
    if (there === content) {
      await rm(draftOf(place), { force: true })
      continue
    }
    if (there !== undefined) {
      throw new ValidationError(`'${path}' is in ${root} already, with other content; it is not written over`)
    }
    planned.push({ place, content })
  }
  for (const { place, content } of planned) {
    await mkdir(dirname(place), { recursive: true })
    await writeWhole(place, content)
  }
  return files.map(({ path }) => relative(root, placeIn(root, path)).split(sep).join('/'))
}

const draftOf = (place: string): string => `${place}.holdfast-draft`

/** @throws EEXIST where somebody has put a file there meanwhile */
async function writeWhole(place: string, content: string): Promise<void> {
  const draft = draftOf(place)
  // Anew: what a death has left may be half of it, and a link that somebody put there must not be followed.
  await rm(draft, { force: true })
  await writeFile(draft, content, { flag: 'wx' })
  try {
    await link(draft, place).catch(error => {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error
      // A file system without links, as on a stick.
      return copyFile(draft, place, constants.COPYFILE_EXCL)
    })
  } finally {
    await rm(draft, { force: true })
  }
}

function placeIn(root: string, path: string): string {
  const place = resolve(root, path)
  const inside = relative(root, place)
  const isInside = inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside)
  if (isInside && !isAbsolute(path) && !path.includes('\\') && !path.includes('\u0000') && !/^[a-z]:/i.test(path))
    return place
  throw new ValidationError(`'${path}' leads out of ${root}; nothing was written`)
}

/** A link in the directory may lead anywhere. */
async function refuseLinks(root: string, place: string, path: string): Promise<void> {
  let current = root
  for (const part of relative(root, place).split(sep)) {
    current = join(current, part)
    const stats = await lstat(current).catch(() => undefined)
    if (stats === undefined) return
    if (stats.isSymbolicLink()) throw new ValidationError(`'${path}' goes over a link, ${current}; nothing was written`)
  }
}
