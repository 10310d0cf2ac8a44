/**
 * The provider that needs no network, no key and no money. It does one task, `summarize`, by extraction: it picks the
 * sentences of the text that say most of what the text is about and gives them back in their order, word for word; a
 * very long one is cut short. It never writes a sentence of its own, so what it answers was in what it was asked. The
 * same text gives the same answer.
 */
import { ProviderError } from '../errors.ts'
import type { Message, ModelAnswer, ModelRequest, Provider } from './provider.ts'

const task = 'summarize'
const model = 'extractive'
/** What English and code take up a token, roughly. */
const charactersPerToken = 4
const mostCharacters = 400_000
const mostSentences = 4000
const longestSentence = 400

/** The offline provider: `summarize` by extraction, any other task is `no_provider`. Costs 0. */
export function offline(): Provider {
  return {
    id: 'offline',
    local: true,
    models: [{ id: model, tier: 'cheap', price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } }],
    accepts: asked => asked === task,
    async generate(request, context): Promise<ModelAnswer> {
      context.signal.throwIfAborted()
      refuseWhatItCannot(request)
      const prompt = textOf(request.messages)
      const text = summarize(prompt, request.maxOutputTokens)
      return {
        text,
        finishReason: 'stop',
        usage: { inputTokens: tokensOf(prompt), outputTokens: tokensOf(text) },
        cost: 0,
        model,
      }
    },
  }
}

function refuseWhatItCannot(request: ModelRequest): void {
  const refused =
    request.task !== task
      ? `does not do '${request.task}'`
      : request.schema !== undefined
        ? 'fills no schema'
        : undefined
  if (refused === undefined) return
  throw new ProviderError(`the offline provider ${refused}: it summarizes text by extraction`, { kind: 'no_provider' })
}

const tokensOf = (text: string): number => Math.ceil(text.length / charactersPerToken)

function textOf(messages: readonly Message[]): string {
  return messages
    .filter(message => message.role === 'user')
    .map(({ content }) =>
      typeof content === 'string' ? content : content.map(part => (part.type === 'text' ? part.text : '')).join('\n'),
    )
    .join('\n\n')
    .slice(0, mostCharacters)
}

interface Sentence {
  readonly text: string
  readonly words: readonly string[]
  readonly bullet: boolean
}

/** The most telling sentences in their order: about a fifth of them, from 1 to 8, within the tokens allowed. */
function summarize(text: string, maxOutputTokens: number | undefined): string {
  const { sentences, headings } = readSentences(text)
  const weights = wordWeights(sentences, headings)
  const ranked = sentences
    .map((sentence, at) => ({ sentence, at, score: scoreOf(sentence, weights) }))
    .sort((a, b) => b.score - a.score || a.at - b.at)
  const wanted = Math.min(8, Math.max(1, Math.ceil(sentences.length / 5)))
  let room = maxOutputTokens === undefined ? Number.POSITIVE_INFINITY : maxOutputTokens * charactersPerToken
  const picked: typeof ranked = []
  const said = new Set<string>()
  for (const candidate of ranked) {
    const { text: words } = candidate.sentence
    if (picked.length >= wanted) break
    if (said.has(words.toLowerCase()) || words.length + 1 > room) continue
    said.add(words.toLowerCase())
    room -= words.length + 1
    picked.push(candidate)
  }
  return written(picked.sort((a, b) => a.at - b.at).map(({ sentence }) => sentence))
}

function written(sentences: readonly Sentence[]): string {
  let text = ''
  let afterBullet = false
  for (const { text: words, bullet } of sentences) {
    const separator = text === '' ? '' : bullet || afterBullet ? '\n' : ' '
    text += `${separator}${words}`
    afterBullet = bullet
  }
  return text
}

/** Opens or closes a block of code, in a quotation or a list too; backticks again on its line make it mere inline code. */
const fence = /^\s*(?:>\s*|(?:[-*+]|\d{1,3}[.)])\s+)*(`{3,}(?!.*`)|~{3,})/
const heading = /^\s*#{1,6}\s+(.*)$/
const bulletMark = /^\s*(?:[-*+•]|\d{1,3}[.)])\s+/
/** A rule, a table's frame, an empty line. */
const noWords = /^[\s\p{P}\p{S}]*$/u
/** A row that shows by its edge; one without is known by the line of dashes between a table's head and its rows. */
const edgedRow = /^\s*(?:>\s*)*\|.*\|/
const tableDashes = /^[\s>]*:?-+:?\s*\|[\s:|-]*$/

/**
 * Sentences of paragraphs and bullets. Code and tables are left out, headings only weigh, and a line that announces
 * (`…:`) is none.
 */
function readSentences(text: string): { sentences: Sentence[]; headings: string[] } {
  const sentences: Sentence[] = []
  const headings: string[] = []
  let paragraph: string[] = []
  const endParagraph = (): void => {
    const joined = paragraph.join(' ')
    paragraph = []
    for (const sentence of splitSentences(joined)) addSentence(sentences, sentence, false)
  }
  for (const line of proseLines(text)) {
    const title = heading.exec(line)?.[1]
    const bullet = bulletMark.test(line)
    if (noWords.test(line) || title !== undefined || bullet) endParagraph()
    if (noWords.test(line)) continue
    if (title !== undefined) headings.push(title)
    else if (bullet) addSentence(sentences, line.trim(), true)
    else paragraph.push(line.trim())
  }
  endParagraph()
  return { sentences, headings }
}

/** The lines, with an empty one in the place of each that belongs to a block of code or to a table. */
function proseLines(text: string): string[] {
  let openFence: string | undefined
  let inTable = false
  const lines = text.split(/\r?\n/)
  return lines.map((line, at) => {
    const mark = fence.exec(line)?.[1]
    if (openFence !== undefined) {
      if (mark?.startsWith(openFence) && line.trimEnd().endsWith(mark)) openFence = undefined
      return ''
    }
    openFence = mark
    const isHead = line.includes('|') && tableDashes.test(lines[at + 1] ?? '')
    inTable = isHead || (inTable && line.includes('|'))
    return mark !== undefined || inTable || edgedRow.test(line) ? '' : line
  })
}

function addSentence(sentences: Sentence[], whole: string, bullet: boolean): void {
  if (sentences.length >= mostSentences || whole.endsWith(':')) return
  const text = cutShort(whole)
  const words = wordsOf(text)
  if (words.length > 0) sentences.push({ text, words, bullet })
}

/** The sentence up to the last word that has room, with a mark where it was cut. */
function cutShort(sentence: string): string {
  if (sentence.length <= longestSentence) return sentence
  const room = longestSentence - 1
  const end = sentence.slice(0, room + 1).search(/\s\S*$/)
  const kept = end > 0 ? sentence.slice(0, end) : sentence.slice(0, room)
  return `${kept.trimEnd().replace(/[\uD800-\uDBFF]$/, '')}…`
}

/** At a mark that ends a sentence and a capital, digit or quote after it; an abbreviation's dot ends none. */
function splitSentences(paragraph: string): string[] {
  const sentences: string[] = []
  let start = 0
  for (const match of paragraph.matchAll(/[.!?]["')\]]*\s+(?=["'(]?[\p{Lu}\p{N}])/gu)) {
    const end = match.index + match[0].length
    const before = paragraph.slice(start, end)
    if (/\b(?:e\.g|i\.e|etc|vs|cf|Mr|Mrs|Ms|Dr|Prof|No|St|approx)\.\s+$/.test(before)) continue
    sentences.push(before.trim())
    start = end
  }
  const rest = paragraph.slice(start).trim()
  return rest === '' ? sentences : [...sentences, rest]
}

const stopWords = new Set(
  `a about above after again all also although an and any are as at be because been before being between both but by can
  could did do does doing down during each few for from further had has have having he her here hers him his how i if in
  into is it its just may me might more most must my no nor not now of off on once only or other our out over own same
  she should so some such than that the their them then there these they this those through to too under until up upon
  very was we were what when where which while who whom why will with within without would you your`.split(/\s+/),
)

function wordsOf(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}][\p{L}\p{N}_'-]*/gu) ?? []
  return words.filter(word => word.length > 1 && !stopWords.has(word))
}

/** How often a word comes, a word of a heading counted twice more. */
function wordWeights(sentences: readonly Sentence[], headings: readonly string[]): Map<string, number> {
  const weights = new Map<string, number>()
  const add = (word: string, amount: number): void => void weights.set(word, (weights.get(word) ?? 0) + amount)
  for (const { words } of sentences) for (const word of new Set(words)) add(word, 1)
  for (const title of headings) for (const word of wordsOf(title)) add(word, 2)
  return weights
}

/** The weight of its words by the root of their number: neither the longest nor the shortest sentence wins by length. */
function scoreOf({ words }: Sentence, weights: ReadonlyMap<string, number>): number {
  let sum = 0
  for (const word of new Set(words)) sum += weights.get(word) ?? 0
  return sum / Math.sqrt(Math.max(4, words.length))
}
