/**
 * The survey: what there is to examine. It finds the test files with the runner that each needs, chooses the share that
 * is run, finds the type check, and notes what cannot be done here and why. It runs nothing of the repository.
 */
import { stat } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { z } from 'zod'
import { checkupDepth } from '../../../config/child-environment.ts'
import { ValidationError } from '../../../errors.ts'
import { testResultSchema } from '../findings.ts'
import { recentlyChanged } from '../history/git-log.ts'
import { type FileChoice, listFiles, sizeOf } from '../repository-files.ts'
import { type TestTask, testTaskSchema } from '../runners/runner.ts'
import { isNamedTest, mayBeTest } from '../test-files.ts'
import { findTypeCheck, typeCheckTaskSchema } from '../type-check.ts'
import { type ChoiceFacts, chooseRunner } from './choose-runner.ts'
import { packagesOnDisk } from './packages.ts'
import { selectTests } from './select-tests.ts'
import { toolsOf } from './tools.ts'

export const surveySchema = z.object({
  /** Absolute. */
  root: z.string(),
  files: z.number(),
  /** What is run. */
  tests: z.array(testTaskSchema),
  /** What could be run; more than `tests` when only a share was asked for. */
  runnable: z.number(),
  /** Test files that cannot be run here, each with its reason. */
  notRun: z.array(testResultSchema),
  /** The check, or why there is none. */
  typeCheck: z.union([typeCheckTaskSchema, z.string()]),
  /** What is less than it could be. */
  notes: z.array(z.string()),
})
export type Survey = z.infer<typeof surveySchema>

export interface SurveyOptions extends FileChoice {
  readonly path: string
  readonly maxTests?: number | undefined
  readonly signal: AbortSignal
}

/** A map has no more items than this. */
const testLimit = 10_000
/** A checkup may run tests that run a checkup, but not tests inside of those. */
const depthLimit = 2

/** @throws ValidationError when the path is no directory */
export async function survey({ path, maxTests, signal, ...choice }: SurveyOptions): Promise<Survey> {
  const root = resolve(path)
  await requireDirectory(root, path)
  const { files, truncated } = await listFiles(root, choice, signal)
  const facts: ChoiceFacts = { root, packages: packagesOnDisk(), tools: toolsOf(root, signal) }
  const { tasks, notRun } = await findTests(files, facts, signal)
  const nested = checkupDepth() >= depthLimit
  const limit = nested ? 0 : Math.min(maxTests ?? testLimit, testLimit)
  const selected = await selectShare(tasks, limit, root, signal)
  const typeCheck = nested
    ? 'this is a checkup inside the tests of another'
    : await findTypeCheck(root, facts.packages, facts.tools)
  return {
    root,
    files: files.length,
    tests: selected,
    runnable: tasks.length,
    notRun,
    typeCheck,
    notes: [
      ...facts.packages.unreadable().map(path => `${relative(root, path)} is no JSON, so its package was passed over`),
      ...(truncated ? ['there are more than 100,000 files; the rest was not looked at'] : []),
      ...(nested ? ['this is a checkup inside the tests of another, so it runs no tests'] : []),
    ],
  }
}

async function requireDirectory(root: string, path: string): Promise<void> {
  const stats = await stat(root).catch(() => undefined)
  if (stats?.isDirectory()) return
  const what = stats ? 'is a file, not a directory' : 'does not exist'
  throw new ValidationError(`the path ${JSON.stringify(path)} ${what}; give the directory of a repository`, {
    path: 'path',
  })
}

interface FoundTests {
  readonly tasks: TestTask[]
  readonly notRun: Survey['notRun']
}

async function findTests(files: readonly string[], facts: ChoiceFacts, signal: AbortSignal): Promise<FoundTests> {
  const tasks: TestTask[] = []
  const notRun: Survey['notRun'] = []
  const goPackages = new Set<string>()
  for (const file of files) {
    if (!isNamedTest(file) && !mayBeTest(file)) continue
    signal.throwIfAborted()
    // `go test` runs a package, so the first test file of a directory stands for all of them.
    if (file.endsWith('_test.go') && goPackages.has(dirname(file))) continue
    if (file.endsWith('_test.go')) goPackages.add(dirname(file))
    const choice = await chooseRunner(file, facts)
    if (choice === undefined) continue
    if ('task' in choice) tasks.push(choice.task)
    else notRun.push({ file, status: 'skipped', durationMs: 0, reason: choice.notRun })
  }
  return { tasks, notRun }
}

async function selectShare(
  tasks: readonly TestTask[],
  limit: number,
  root: string,
  signal: AbortSignal,
): Promise<TestTask[]> {
  if (tasks.length <= limit) return [...tasks]
  const recency = new Map((await recentlyChanged(root, signal)).map((file, place) => [file, place]))
  const candidates = await Promise.all(
    tasks.map(async task => ({
      task,
      file: task.file,
      bytes: (await sizeOf(join(root, task.file))) ?? 0,
      recency: recency.get(task.file),
    })),
  )
  return selectTests(candidates, limit).map(({ task }) => task)
}
