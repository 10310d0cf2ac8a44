/**
 * The world of `summarize`: texts with marks in their lines, and a model whose summary is the marks that it was shown, in
 * their order. So the summary of the whole must have every mark once, as they stand in the sources.
 */
import type { ModelRequest } from '../../providers/provider.ts'
import type { Random } from '../../time/random.ts'
import type { SimulatedRun } from '../simulator/scenario.ts'
import { askedOf, expectEqual, markOf, marksIn, outputOf, upTo } from './invented.ts'
import type { BundledWorld } from './world.ts'

interface Input {
  readonly text?: string
  readonly path?: string
  readonly files?: readonly string[]
}

const library = '/simulated/library'
const names = ['README.md', 'about.md', 'history.txt'] as const

/** With the largest of them in several parts. */
function textOf(from: number, random: Random): string {
  const lines = Array.from({ length: 1 + upTo(random() < 0.2 ? 500 : 8, random) }, (_, index) => {
    const end = random() < 0.1 ? '\n' : ''
    return `Line ${markOf(from + index)} tells of the sea, of ships and of those who wait for them.${end}`
  })
  return `${lines.join('\n')}\n`
}

function files(random: Random): Record<string, string> {
  const some = names.filter((_, index) => index === 1 || random() < 0.6)
  return Object.fromEntries(some.map((name, index) => [`${library}/${name}`, textOf((index + 1) * 10_000, random)]))
}

function input(random: Random): Input {
  const kind = random()
  if (kind < 0.3) return { text: textOf(0, random) }
  return kind < 0.6 ? { path: library } : { path: library, files: ['about.md'] }
}

const answers = (request: ModelRequest): string => `It tells of ${marksIn(askedOf(request)).join(' ')}.`

/** What there was to summarise, in its order. */
function sourceOf({ input: asked, files: all }: SimulatedRun): string {
  const { text, files: chosen } = asked as Input
  if (text !== undefined) return text
  const there = names.filter(name => all[`${library}/${name}`] !== undefined)
  const readmes = there.filter(name => name.startsWith('README'))
  return (chosen ?? (readmes.length > 0 ? readmes : there)).map(name => all[`${library}/${name}`] ?? '').join('')
}

function tellsAllInOrder(run: SimulatedRun): void {
  const output = outputOf<{ readonly summary: string; readonly parts: number }>(run)
  if (!output) return
  expectEqual(marksIn(output.summary), marksIn(sourceOf(run)), 'the summary tells of')
  const items = run.journal.filter(({ type, stage }) => type === 'stage.succeeded' && stage?.startsWith('parts['))
  const done = new Set(items.map(({ stage }) => stage))
  if (done.size !== output.parts) throw new Error(`${done.size} parts were summarised, and ${output.parts} are told`)
}

export const summarizeWorld: BundledWorld = {
  input,
  files,
  answers,
  invariants: {
    'what was answered of each part is used once, in order': tellsAllInOrder,
    'what is summarised is not changed': ({ changes }) => changes.length === 0,
  },
}
