/** From what a build is asked to its plan: finds the file, reads it, and fills in what the plan leaves open. */
import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, extname, resolve } from 'node:path'
import { z } from 'zod'
import { ConfigError } from '../../errors.ts'
import { type Duration, toMs } from '../../time/duration.ts'
import { parseMarkdownPlan } from './markdown-plan.ts'
import {
  mostCommands,
  type Plan,
  type PlannedCommand,
  timeoutSchema,
  usualTimeout,
  type WrittenCommand,
} from './plan.ts'
import { planProblem } from './plan-problem.ts'
import type { WrittenPlan } from './yaml-plan.ts'

export const buildInputSchema = z.strictObject({
  /** The directory that the commands run in; or the file of the plan, whose directory it is then. @default '.' */
  path: z.string().min(1).optional(),
  /** The file of the plan, relative to `path`. @default the first there is of the usual names */
  plan: z.string().min(1).optional(),
  /** For each command that the plan gives none. @default '30m' */
  timeout: timeoutSchema.optional(),
  /** Names of variables that commands get although they look like secrets, which are withheld otherwise. */
  environment: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable')).optional(),
})

export type BuildInput = z.output<typeof buildInputSchema>

const usualNames = ['plan.md', 'plan.yaml', 'plan.yml', 'PLAN.md', 'build.plan.md', 'build.plan.yaml']
const largestPlan = 1_000_000

/** @throws ConfigError that names the file and, of what is written in it, the line */
export async function readPlan(input: BuildInput): Promise<Plan> {
  const { file, directory } = await findPlan(input)
  const text = await textOf(file)
  const written = await parse(text, file)
  if (written.commands.length > mostCommands) {
    throw planProblem({ file, line: 1 }, `it has ${written.commands.length} commands; at most ${mostCommands} are run`)
  }
  const usual = { ...written.defaults, timeout: written.defaults.timeout ?? input.timeout ?? usualTimeout }
  const digits = String(written.commands.length).length
  return {
    title: written.title ?? basename(file),
    commands: written.commands.map((command, index) =>
      planned(command, usual, directory, String(index + 1).padStart(digits, '0')),
    ),
    done: [...written.done],
  }
}

async function findPlan({ path = '.', plan }: BuildInput): Promise<{ file: string; directory: string }> {
  const place = resolve(path)
  const isFile = await stat(place).then(
    stats => stats.isFile(),
    () => {
      throw missing(place, 'does not exist; `path` is the directory that the commands run in, or the plan itself')
    },
  )
  if (isFile && plan === undefined) return { file: place, directory: dirname(place) }
  if (isFile)
    throw new ConfigError(`path is the file ${place}, and plan names another; give one of them`, { file: place })
  if (plan !== undefined) return { file: resolve(place, plan), directory: place }
  for (const name of usualNames) {
    const file = resolve(place, name)
    if (
      await stat(file).then(
        stats => stats.isFile(),
        () => false,
      )
    )
      return { file, directory: place }
  }
  throw missing(
    place,
    `has no plan: none of ${usualNames.join(', ')}; name the file, as in --input '{"plan":"release.md"}'`,
  )
}

const missing = (file: string, what: string): ConfigError =>
  new ConfigError(`${file} ${what}`, { code: 'file_not_found', file })

async function textOf(file: string): Promise<string> {
  const stats = await stat(file).catch(() => undefined)
  if (!stats?.isFile())
    throw missing(file, stats ? 'is no file; name the file of the plan' : 'does not exist; check the path of the plan')
  if (stats.size > largestPlan) {
    throw new ConfigError(`the plan ${file} has ${stats.size} bytes; at most ${largestPlan} are read`, { file })
  }
  const text = (await readFile(file, 'utf8')).replace(/^\uFEFF/, '')
  if (text.includes('\u0000')) throw planProblem({ file, line: 1 }, 'this is no text; a plan is Markdown or YAML')
  return text
}

/** The parser of YAML is loaded for a plan that needs it: everybody who imports Holdfast would wait for it. */
async function parse(text: string, file: string): Promise<WrittenPlan> {
  const form = extname(file).toLowerCase()
  if (/^\.(?:md|markdown)$/.test(form)) return parseMarkdownPlan(text, file)
  if (/^\.(?:ya?ml|json)$/.test(form)) return (await import('./yaml-plan.ts')).parseYamlPlan(text, file)
  throw new ConfigError(`the plan ${file} is neither Markdown (.md) nor YAML (.yaml, .yml, .json); rename it`, { file })
}

function planned(
  command: WrittenCommand,
  usual: WrittenPlan['defaults'] & { timeout: string | number },
  directory: string,
  number: string,
): PlannedCommand {
  const title = command.name ?? (command.run.split('\n')[0] as string).slice(0, 80)
  const env = Object.entries({ ...usual.env, ...command.env }).map(([name, value]) => [name, String(value)])
  return {
    key: [number, slugOf(title)].filter(Boolean).join('-'),
    title,
    run: command.run,
    shell: command.shell ?? 'sh',
    directory: resolve(directory, command.cwd ?? usual.cwd ?? '.'),
    timeoutMs: toMs((command.timeout ?? usual.timeout) as Duration),
    retries: command.retries ?? usual.retries ?? 0,
    continueOnError: command.continueOnError ?? false,
    env: Object.fromEntries(env),
  }
}

function slugOf(title: string): string {
  const slug = title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-')
  // By characters: half of one is no name that a store can keep.
  return [...slug]
    .slice(0, 40)
    .join('')
    .replace(/^-+|-+$/g, '')
}
