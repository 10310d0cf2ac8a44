/** Texts of the worlds of bundled workflows: marks that can be found again in whatever was made of them. */
import type { ModelRequest } from '../../providers/provider.ts'
import type { Random } from '../../time/random.ts'
import type { SimulatedRun } from '../simulator/scenario.ts'

export const upTo = (most: number, random: Random): number => Math.floor(random() * (most + 1))

/** Marks stand in texts as `#17#`. */
export const markOf = (number: number): string => `#${number}#`

export const marksIn = (text: string): readonly string[] => text.match(/#\d+#/g) ?? []

/** What a model was asked, without what it was told to be. */
export const askedOf = ({ messages }: ModelRequest): string =>
  messages
    .filter(({ role }) => role !== 'system')
    .map(({ content }) =>
      typeof content === 'string' ? content : content.map(part => (part.type === 'text' ? part.text : '')).join('\n'),
    )
    .join('\n')

/** The output of a run that has come to its good end. */
export const outputOf = <T>({ result }: SimulatedRun): T | undefined =>
  result?.success === true ? (result.output as T) : undefined

/** @throws an error that names the first of the texts that is there twice */
export function expectOnce(texts: readonly string[], what: string): void {
  const twice = texts.find((text, index) => texts.indexOf(text) !== index)
  if (twice !== undefined) throw new Error(`${what} ${twice} is there twice`)
}

/** @throws an error that shows both where they differ */
export function expectEqual(found: readonly string[], expected: readonly string[], what: string): void {
  if (found.length === expected.length && found.every((text, index) => text === expected[index])) return
  throw new Error(`${what}: ${found.join(' ') || 'nothing'}, and it should be ${expected.join(' ') || 'nothing'}`)
}
