/**
 * The world of `code-review`: a repository, with git or without, whose lines have marked defects, and a model that finds
 * them and now and then tells of a line that it was not shown. So it can be said which findings a review must have.
 */
import type { ModelRequest } from '../../providers/provider.ts'
import type { Random } from '../../time/random.ts'
import type { SimulatedRun } from '../simulator/scenario.ts'
import type { ProgramCall, ProgramEnd } from '../simulator/world/programs.ts'
import { askedOf, expectEqual, expectOnce, markOf, marksIn, outputOf, upTo } from './invented.ts'
import type { BundledWorld } from './world.ts'

interface Review {
  readonly findings: readonly { readonly file: string; readonly line: number; readonly message: string }[]
  readonly predictions: readonly { readonly file: string }[]
  readonly reviewed: number
  readonly lost: number
  readonly report: string
}

const repository = '/simulated/repository'
const git = `${repository}/.git/HEAD`

function files(random: Random): Record<string, string> {
  let marks = 0
  const made = Array.from({ length: 1 + upTo(3, random) }, (_, number) => {
    const lines = Array.from({ length: 1 + upTo(random() < 0.15 ? 400 : 12, random) }, (_unused, index) =>
      random() < 0.1 ? `  broken() // ${markOf(++marks)}` : `  call(${index})`,
    )
    return [`${repository}/src/part-${number}.ts`, `${lines.join('\n')}\n`] as const
  })
  const has = random() < 0.7 ? { [git]: 'ref: refs/heads/main\n' } : {}
  return { ...Object.fromEntries(made), [`${repository}/notes.txt`]: 'not source\n', ...has }
}

function runGit({ args, files: tree }: ProgramCall): ProgramEnd {
  if (!tree.find(git)) return { exitCode: 128, stderr: 'fatal: not a git repository', durationMs: 20 }
  if (!args.includes('ls-files')) return { exitCode: 1, stderr: 'not simulated', durationMs: 20 }
  const tracked = Object.keys(tree.texts).filter(path => path.startsWith(`${repository}/`) && path !== git)
  return { stdout: tracked.map(path => `${path.slice(repository.length + 1)}\0`).join(''), durationMs: 20 }
}

function answers(request: ModelRequest, random: Random): unknown {
  const asked = askedOf(request)
  if (request.task === 'bug_predict') {
    const named = [...new Set([...asked.matchAll(/ (\S+\.ts):\d+: /g)].map(([, file]) => file as string))]
    return { predictions: named.map(file => ({ file, risk: 'high', reason: 'it has defects' })) }
  }
  if (request.task !== 'code_review') return `It has ${marksIn(asked).length} defects.`
  const found = [...asked.matchAll(/^(\d+) {2}.*(#\d+#)/gm)].map(([, line, mark]) => ({ line: Number(line), mark }))
  const invented = random() < 0.2 ? [{ line: 100_000, mark: markOf(100_000) }] : []
  return {
    findings: [...found, ...invented].map(({ line, mark }) => ({ line, severity: 'error', message: `broken ${mark}` })),
  }
}

/** Where the marks of the source are: `src/part-0.ts:3 #1#`. */
const marked = ({ files: all }: SimulatedRun): readonly string[] =>
  Object.entries(all)
    .filter(([path]) => path.endsWith('.ts'))
    .flatMap(([path, text]) =>
      text
        .split('\n')
        .flatMap((line, index) =>
          marksIn(line).map(mark => `${path.slice(repository.length + 1)}:${index + 1} ${mark}`),
        ),
    )

function findingsAreThose(run: SimulatedRun): void {
  const review = outputOf<Review>(run)
  if (!review) return
  const told = review.findings.map(({ file, line, message }) => `${file}:${line} ${marksIn(message).join()}`)
  const there = marked(run)
  expectOnce(told, 'the finding')
  const invented = told.find(finding => !there.includes(finding))
  if (invented !== undefined) throw new Error(`the finding ${invented} is invented`)
  const isWhole = review.lost === 0 && !run.result?.degraded.some(({ reason }) => reason.includes('could not be read'))
  if (isWhole) expectEqual([...told].sort(), [...there].sort(), 'the findings are')
  const reported = review.report.split('## Where bugs')[0] as string
  expectEqual([...marksIn(reported)].sort(), told.flatMap(marksIn).sort(), 'the report has')
}

/** Each piece is read or is lost, and those that are read are told once. */
function piecesAreCounted(run: SimulatedRun): void {
  const review = outputOf<Review>(run)
  if (!review) return
  const ended = run.journal.filter(({ type, stage }) => type === 'stage.succeeded' && stage?.startsWith('review['))
  const read = new Set(ended.map(({ stage }) => stage as string))
  if (read.size !== review.reviewed) throw new Error(`${read.size} pieces were read, and ${review.reviewed} are told`)
  if (read.size === 0) throw new Error('not one piece was read, and it says that it is done')
}

export const codeReviewWorld: BundledWorld = {
  input: { path: repository },
  files,
  programs: { git: runGit },
  answers,
  invariants: {
    'the findings of what was read are told once, and none is invented': findingsAreThose,
    'each piece is read or lost': piecesAreCounted,
    'what is reviewed is not changed': ({ changes }) => changes.length === 0,
  },
}
