/**
 * The source of a repository in pieces that a model can read at once: whole lines, in a fixed order, with their numbers.
 * Only where a piece lies is kept; its text is read when it is shown, with its secrets masked.
 */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { type FileChoice, listFiles, sizeOf } from '../checkup/repository-files.ts'
import { maskSecrets } from '../masking.ts'

export const chunkSchema = z.object({
  file: z.string(),
  /** Lines, from 1, both included. */
  from: z.number().int(),
  to: z.number().int(),
  characters: z.number().int(),
})
export type Chunk = z.infer<typeof chunkSchema>

export interface Chunks {
  readonly chunks: readonly Chunk[]
  readonly files: number
  /** Pieces that there are beside these. */
  readonly omitted: number
  /** Files that are there and could not be read. */
  readonly unreadable: readonly string[]
}

const largestFile = 400_000
const chunkCharacters = 12_000
const chunkLines = 300
const source =
  /\.(?:[cm]?[jt]sx?|py|rb|go|rs|java|kt|scala|cs|c|cc|cpp|h|hpp|swift|php|ex|exs|erl|sh|bash|sql|vue|svelte|lua|pl|r|dart|zig)$/i
const generated = /\.(?:min\.js|d\.ts|pb\.go|generated\.\w+)$|(?:^|\/)(?:package-lock\.json|yarn\.lock)$/i

export interface ChunkChoice extends FileChoice {
  readonly path: string
  readonly maxChunks: number
}

/** @throws where the directory cannot be listed at all */
export async function chunksOf(choice: ChunkChoice, signal: AbortSignal): Promise<Chunks> {
  const root = resolve(choice.path)
  const listed = await listFiles(root, choice, signal)
  const all: Chunk[] = []
  const unreadable: string[] = []
  let files = 0
  for (const file of listed.files.filter(name => source.test(name) && !generated.test(name))) {
    signal.throwIfAborted()
    const size = await sizeOf(join(root, file))
    if (size === undefined || size === 0 || size > largestFile) continue
    const text = await readFile(join(root, file), 'utf8').catch(() => undefined)
    if (text === undefined) unreadable.push(file)
    if (text === undefined || text.includes('\u0000')) continue
    files++
    all.push(...split(file, text))
  }
  const chunks = all.slice(0, choice.maxChunks)
  return { chunks, files, omitted: all.length - chunks.length, unreadable }
}

function split(file: string, text: string): Chunk[] {
  const lines = text.replace(/\n$/, '').split('\n')
  const chunks: Chunk[] = []
  let from = 0
  let characters = 0
  for (const [at, line] of lines.entries()) {
    const isFull = at > from && (characters + line.length > chunkCharacters || at - from >= chunkLines)
    if (isFull) {
      chunks.push({ file, from: from + 1, to: at, characters })
      from = at
      characters = 0
    }
    characters += line.length + 1
  }
  chunks.push({ file, from: from + 1, to: lines.length, characters })
  return chunks
}

/** The lines of a piece, numbered as in the file. */
export async function textOfChunk(root: string, { file, from, to }: Chunk): Promise<string> {
  const lines = maskSecrets(await readFile(join(resolve(root), file), 'utf8')).split('\n')
  return lines
    .slice(from - 1, to)
    .map((line, at) => `${from + at}  ${line.slice(0, 2000)}`)
    .join('\n')
}
