/**
 * The bundled workflow `checkup`: a supervised examination of a repository. It surveys what there is; runs every test
 * file as a child process of its own, the project's type check, a scan for secrets and dangerous calls, and the bug
 * risk by history side by side; then a model reviews it where one is configured; and it ends in a summary and a report.
 * A failing, flaky or hung test is a result. What cannot be done here degrades the run and is said in the report.
 */
import { availableParallelism } from 'node:os'
import { toMs } from '../../time/duration.ts'
import { defineWorkflow } from '../../workflow/define-workflow.ts'
import { orderFindings } from './findings.ts'
import { assessRisk, riskSchema } from './history/risk.ts'
import { checkupInputSchema } from './input.ts'
import { factsOf } from './reporting/facts.ts'
import { makeReport } from './reporting/report.ts'
import { listFiles } from './repository-files.ts'
import { examinationOf } from './results.ts'
import {
  readExcerpts,
  reviewAnswerSchema,
  reviewFailure,
  reviewInstructions,
  reviewPrompt,
  reviewSchema,
  toReview,
  withoutReview,
} from './review.ts'
import { runTestFile, testOutcomeSchema } from './run-test-file.ts'
import { scanFiles, scanSchema } from './scan/scan.ts'
import { survey, surveySchema } from './survey/survey.ts'
import { runTypeCheck, typeCheckSchema } from './type-check.ts'

const examined = ['preflight', 'tests', 'types', 'secrets', 'risk'] as const
const typeCheckMs = 300_000
const summarySentences = 40

export const checkup = defineWorkflow({
  name: 'checkup',
  version: '1',
  input: checkupInputSchema,
  description: 'Examines a repository: its tests, types, secrets, dangerous calls and bug risk.',
})
  .stage(
    'preflight',
    { preflight: true, output: surveySchema, description: 'Checks the machine, then finds what there is to examine.' },
    async ({ input, signal, degrade }) => {
      const found = await survey({ ...input, signal })
      for (const note of found.notes) degrade(note)
      return found
    },
  )
  .map(
    'tests',
    {
      needs: ['preflight'],
      over: ({ results }) => results.preflight.tests,
      key: task => task.file,
      concurrency: Math.min(availableParallelism(), 8),
      // Two runs of at most an hour each, and what the machine needs besides.
      timeout: '3h',
      output: testOutcomeSchema,
      fallback: ({ item, error }) => ({
        result: { file: item.file, status: 'error' as const, durationMs: 0, reason: error.message },
        findings: [],
      }),
      description: 'Runs each test file as a process of its own.',
    },
    ({ item, input, results, signal, log, progress }) =>
      runTestFile(item, {
        root: results.preflight.root,
        timeoutMs: toMs(input.timeout, 'timeout'),
        signal,
        onSlow(message) {
          log.warn(message, { file: item.file })
          progress(0.5, message)
        },
      }),
  )
  .stage(
    'types',
    { needs: ['preflight'], optional: true, output: typeCheckSchema, description: "Runs the project's type check." },
    async ({ results: { preflight }, signal, log }) => {
      const { typeCheck, root } = preflight
      if (typeof typeCheck === 'string')
        return { status: 'skipped' as const, note: typeCheck, durationMs: 0, findings: [] }
      const onSlow = (): void => log.warn(`${typeCheck.label} still runs after half of its time`)
      return runTypeCheck(typeCheck, { root, timeoutMs: typeCheckMs, signal, onSlow })
    },
  )
  .stage(
    'secrets',
    { needs: ['preflight'], optional: true, output: scanSchema, description: 'Scans for secrets and dangerous calls.' },
    async ({ input, results, signal, progress }) => {
      const { root } = results.preflight
      const { files } = await listFiles(root, input, signal)
      return scanFiles({ root, files, signal, onProgress: progress })
    },
  )
  .stage(
    'risk',
    { needs: ['preflight'], optional: true, output: riskSchema, description: 'Finds risky files by their history.' },
    async ({ input, results, signal, degrade }) => {
      const { root } = results.preflight
      const { files } = await listFiles(root, input, signal)
      const risk = await assessRisk({ root, files, since: input.since, signal })
      for (const note of risk.notes) degrade(note)
      return risk
    },
  )
  .stage(
    'review',
    {
      needs: examined,
      task: 'code_review',
      restart: 'temporary',
      output: reviewSchema,
      fallback: ({ error }) => withoutReview(error),
      description: 'Asks a model what it thinks, where one is configured.',
    },
    async ({ results, model }) => {
      const { root, findings, risk } = examinationOf(results)
      const excerpts = await readExcerpts(root, risk?.files ?? [], findings)
      const prompt = reviewPrompt(findings, excerpts)
      const asked = model.generate({ system: reviewInstructions, prompt, schema: reviewAnswerSchema })
      const { object } = await asked.catch((error: unknown) => {
        throw reviewFailure(error)
      })
      return toReview(object, excerpts)
    },
  )
  .stage(
    'summary',
    {
      needs: [...examined, 'review'],
      task: 'summarize',
      fallback: ({ results }) => factsOf(examinationOf(results)).slice(0, 5).join(' '),
      description: 'Says it in a few sentences.',
    },
    async ({ results, model }) => {
      const [tests = '', ...rest] = factsOf(examinationOf(results)).slice(0, summarySentences)
      if (rest.length === 0) return tests
      const system =
        'Say in at most five sentences what else the checkup of a repository found; its tests were told already.'
      const { text } = await model.generate({ system, prompt: rest.map(fact => `- ${fact}`).join('\n') })
      return `${tests}\n\n${text}`
    },
  )
  .stage('report', { needs: [...examined, 'review', 'summary'], description: 'Writes the report.' }, ({ results }) =>
    makeReport({ examination: examinationOf(results), review: results.review, summary: results.summary }),
  )
  .output(({ results }) => {
    const { findings, tests } = examinationOf(results)
    return {
      findings: orderFindings([...findings, ...results.review.findings]),
      tests: [...tests],
      review: results.review.text,
      summary: results.summary,
      report: results.report,
    }
  })
