/**
 * The bundled workflow `summarize`: files, or a text, in a few sentences. What is long is summarised in parts, and the
 * parts once more. It works without a model too: the offline provider picks the sentences that tell most.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { z } from 'zod'
import { defineWorkflow } from '../../workflow/define-workflow.ts'
import { maskSecrets } from '../masking.ts'
import { counted, type TextEstimate, tokensOf } from '../text-estimate.ts'

const inputSchema = z
  .strictObject({
    /** The text itself. */
    text: z.string().min(1).optional(),
    /** A file; of a directory its `files`, else its README and other Markdown. */
    path: z.string().min(1).optional(),
    /** Relative to `path`. */
    files: z.array(z.string().min(1)).min(1).optional(),
  })
  .refine(({ text, path, files }) => (text === undefined) !== (path === undefined && files === undefined), {
    error: 'give either text, or path or files',
  })

const partSchema = z.object({ name: z.string(), text: z.string() })

const partCharacters = 24_000
const largestFile = 5_000_000
const mostParts = 200
/** Five or eight sentences need less. */
const answerTokens = 1000
/** What is said beside the text. */
const instructionTokens = 100

const partInstructions = 'Summarise the text in at most five sentences.'
const wholeInstructions = 'These are summaries of the parts of a text. Summarise the whole in at most eight sentences.'

export const summarize = defineWorkflow({
  name: 'summarize',
  version: '1',
  input: inputSchema,
  task: 'summarize',
  description: 'Summarises files or a text, with a model or without.',
})
  .stage(
    'read',
    { output: z.array(partSchema), description: 'Reads what is to be summarised, in parts.' },
    async ({ input, degrade }) => {
      const sources = input.text === undefined ? await filesOf(input) : [{ name: 'text', text: input.text }]
      const parts = sources.flatMap(({ name, text }) => split(name, maskSecrets(text)))
      if (parts.length === 0) throw new Error('there is no text to summarise')
      if (parts.length > mostParts) degrade(`only the first ${mostParts} of ${parts.length} parts are summarised`)
      return parts.slice(0, mostParts)
    },
  )
  .map(
    'parts',
    { over: ({ results }) => results.read, concurrency: 4, output: z.string(), description: 'Summarises each part.' },
    async ({ item, model }) =>
      (await model.generate({ system: partInstructions, prompt: item.text, maxOutputTokens: answerTokens })).text,
  )
  .stage(
    'whole',
    { output: z.string(), description: 'Makes one summary of the parts.' },
    async ({ results, model }) => {
      const [first = '', ...rest] = results.parts
      if (rest.length === 0) return first
      const prompt = results.parts.join('\n\n')
      return (await model.generate({ system: wholeInstructions, prompt, maxOutputTokens: answerTokens })).text
    },
  )
  .output(({ results }) => ({ summary: results.whole, parts: results.parts.length }))

/** What a run would send; undefined for an input that it would refuse. */
export async function estimateSummary(input: unknown): Promise<TextEstimate | undefined> {
  const { data } = inputSchema.safeParse(input)
  if (data === undefined) return undefined
  const files = data.text === undefined ? await filesOf(data).catch(() => undefined) : []
  if (files === undefined) return undefined
  const sources = data.text === undefined ? files : [{ name: 'text', text: data.text }]
  const sizes = sources
    .flatMap(({ name, text }) => split(name, text))
    .slice(0, mostParts)
    .map(({ text }) => tokensOf(text.length) + instructionTokens)
  const items = sizes.length
  const perAnswer = 200
  return {
    what: `${data.text === undefined ? counted(files.length, 'file') : 'a text'} in ${counted(items, 'chunk')}`,
    inputTokens: sizes.reduce((sum, tokens) => sum + tokens, 0) + (items > 1 ? items * perAnswer : 0),
    outputTokens: (items + 1) * perAnswer,
    stages: {
      parts: { items, inputTokens: Math.max(0, ...sizes), outputTokens: answerTokens },
      whole: { inputTokens: items * answerTokens + instructionTokens, outputTokens: answerTokens },
    },
  }
}

async function filesOf({ path = '.', files }: { path?: string | undefined; files?: string[] | undefined }) {
  const place = resolve(path)
  const isDirectory = (await stat(place)).isDirectory()
  const names = files ?? (isDirectory ? await documentsOf(place) : [''])
  const sources: { name: string; text: string }[] = []
  for (const name of names) {
    const file = name === '' ? place : resolve(place, name)
    const { size } = await stat(file)
    if (size > largestFile) throw new Error(`${file} has ${size} bytes; at most ${largestFile} are read of a file`)
    sources.push({ name: relative(place, file) || file, text: await readFile(file, 'utf8') })
  }
  return sources
}

async function documentsOf(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter(name => /\.(?:md|markdown|txt|rst)$/i.test(name)).sort()
  const readmes = names.filter(name => /^readme/i.test(name))
  const found = readmes.length > 0 ? readmes : names
  if (found.length === 0)
    throw new Error(`there is no README and no other text in ${join(directory, '')}; name \`files\``)
  return found
}

/** At the ends of paragraphs where there are any, else of lines. */
function split(name: string, text: string): z.infer<typeof partSchema>[] {
  const parts: z.infer<typeof partSchema>[] = []
  for (let rest = text; rest.trim() !== ''; ) {
    const room = rest.slice(0, partCharacters)
    const ends = rest.length <= partCharacters ? [rest.length] : [room.lastIndexOf('\n\n'), room.lastIndexOf('\n')]
    const end = ends.find(at => at > partCharacters / 4) ?? Math.min(rest.length, partCharacters)
    parts.push({ name, text: rest.slice(0, end) })
    rest = rest.slice(end)
  }
  return parts
}
