/**
 * The world of `develop`: a directory of its own for each run, or one in which somebody has a file already, and a model
 * that gives some files, also the same one twice. What is on the disk at the end is then known to the letter.
 */
import type { ModelRequest } from '../../providers/provider.ts'
import type { Random } from '../../time/random.ts'
import type { SimulatedRun } from '../simulator/scenario.ts'
import { expectEqual, expectOnce, outputOf, upTo } from './invented.ts'
import type { BundledWorld } from './world.ts'

interface File {
  readonly path: string
  readonly content: string
}

interface Output {
  readonly implementation: readonly File[]
  readonly tests: readonly File[]
  readonly files: readonly string[]
}

const workshop = '/simulated/workshop'
const taken = `${workshop}/taken`

const files: Record<string, string> = {
  [`${workshop}/README.md`]: 'of somebody\n',
  [`${taken}/src/one.ts`]: 'of somebody\n',
}

const input = (random: Random): { task: string; path: string } => ({
  task: 'make something',
  path: random() < 0.1 ? taken : `${workshop}/${upTo(1_000_000_000, random)}`,
})

function answers(request: ModelRequest, random: Random): unknown {
  if (request.schema === undefined) return 'In two files, with their tests.'
  const paths = ['src/one.ts', 'src/deep/two.ts', 'three.ts', 'test/one.test.ts'].filter(() => random() < 0.5)
  const chosen = paths.length > 0 ? paths : ['src/one.ts']
  return { files: chosen.map(path => ({ path, content: `// ${'line\n'.repeat(upTo(40, random))}${random()}\n` })) }
}

const placeOf = ({ input: asked }: SimulatedRun): string => (asked as { path: string }).path

/** The files that a run says it has written, by path; the first of two with the same. */
function wantedOf({ implementation, tests }: Output): Map<string, string> {
  const wanted = new Map<string, string>()
  for (const { path, content } of [...implementation, ...tests]) if (!wanted.has(path)) wanted.set(path, content)
  return wanted
}

function filesAreThere(run: SimulatedRun): void {
  const output = outputOf<Output>(run)
  if (!output) return
  const wanted = wantedOf(output)
  expectEqual([...output.files].sort(), [...wanted.keys()].sort(), 'it says that it wrote')
  for (const [path, content] of wanted) {
    const there = run.files[`${placeOf(run)}/${path}`]
    if (there !== content) throw new Error(`${path} is ${there === undefined ? 'not there' : 'not what was made'}`)
  }
}

/** A file comes to be by one change, whatever died on the way; what was there before is left as it was. */
function eachComesOnce(run: SimulatedRun): void {
  const made = run.changes.filter(({ what, path }) => /^(?:link|rename|writeFile)$/.test(what) && !isDraft(path))
  expectOnce(
    made.map(({ path }) => path),
    'what was written',
  )
  const outside = run.changes.find(({ path }) => path !== placeOf(run) && !path.startsWith(`${placeOf(run)}/`))
  if (outside) throw new Error(`${outside.path} is outside of ${placeOf(run)}`)
}

const isDraft = (path: string): boolean => path.endsWith('.holdfast-draft')

/** What a death or a full disk has left of its own work is not in the way of a run that goes on. */
function isNotInItsOwnWay({ input: asked, result }: SimulatedRun): void {
  const error = result?.success === false ? result.error : undefined
  if (error?.message.includes('with other content') && (asked as { path: string }).path !== taken)
    throw new Error(error.message)
}

function nothingIsLeft(run: SimulatedRun): void {
  const draft = outputOf<Output>(run) && run.changes.find(({ path }) => isDraft(path) && run.files[path] !== undefined)
  if (draft !== undefined) throw new Error(`${draft.path} is left behind`)
}

export const developWorld: BundledWorld = {
  input,
  files,
  answers,
  invariants: {
    'what it says it wrote is there': filesAreThere,
    'each file is written once, in its place': eachComesOnce,
    'no draft is left': nothingIsLeft,
    'it does not stand in its own way': isNotInItsOwnWay,
    "somebody's files are left as they were": ({ files: all }) =>
      Object.entries(files).every(([path, text]) => all[path] === text),
  },
}
