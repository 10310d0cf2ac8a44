/**
 * The project's own check of its types, or its build where it has no such check: found by the scripts of its package,
 * a tsconfig with a local compiler, or a Go module. What the compiler says becomes findings.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { childEnvironment } from '../../config/child-environment.ts'
import { formatMs } from '../../time/duration.ts'
import { maskSecrets } from '../masking.ts'
import { type ProcessEnd, runProcess } from '../processes/run-process.ts'
import { pathInside, shortened, tellingLine } from './evidence.ts'
import { type Finding, findingSchema, orderFindings } from './findings.ts'
import { exists, type Packages } from './survey/packages.ts'
import type { Tools } from './survey/tools.ts'

export const typeCheckTaskSchema = z.object({
  /** As a person would type it. */
  label: z.string(),
  command: z.string(),
  args: z.array(z.string()),
  /** Absolute. */
  cwd: z.string(),
})
export type TypeCheckTask = z.infer<typeof typeCheckTaskSchema>

export const typeCheckSchema = z.object({
  status: z.enum(['passed', 'failed', 'timeout', 'skipped']),
  /** What was run, or why nothing was. */
  note: z.string(),
  durationMs: z.number(),
  findings: z.array(findingSchema),
})
export type TypeCheck = z.infer<typeof typeCheckSchema>

const checkScripts = ['typecheck', 'type-check', 'types:check', 'check-types', 'check:types', 'tsc', 'types']
const findingLimit = 100

/** The check that the repository has, or a sentence of why none can be run. */
export async function findTypeCheck(root: string, packages: Packages, tools: Tools): Promise<TypeCheckTask | string> {
  const manifest = await packages.nearest(root)
  if (manifest?.directory === root) {
    const installed = manifest.dependencies.size === 0 || (await exists(join(root, 'node_modules')))
    const script = checkScripts.find(name => manifest.scripts[name] !== undefined)
    if (script) return installed ? npmScript(root, script) : notInstalled
    const compiler = await packages.program(root, 'typescript', 'tsc')
    if (compiler && (await exists(join(root, 'tsconfig.json')))) {
      const args = [compiler, '--noEmit', '--pretty', 'false', '-p', 'tsconfig.json']
      return { label: 'tsc --noEmit', command: process.execPath, args, cwd: root }
    }
    if (manifest.scripts.build !== undefined) return installed ? npmScript(root, 'build') : notInstalled
  }
  if (await exists(join(root, 'go.mod'))) {
    const go = await tools.go()
    return go ? { label: 'go vet ./...', command: go, args: ['vet', './...'], cwd: root } : 'Go is not installed here'
  }
  return 'the repository has no type check and no build that is known here'
}

const notInstalled = "the project's dependencies are not installed"

function npmScript(cwd: string, script: string): TypeCheckTask {
  return { label: `npm run ${script}`, command: 'npm', args: ['run', '--silent', script], cwd }
}

export interface TypeCheckOptions {
  readonly root: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly onSlow?: (() => void) | undefined
}

export async function runTypeCheck(task: TypeCheckTask, options: TypeCheckOptions): Promise<TypeCheck> {
  const { root, timeoutMs, signal, onSlow } = options
  const env = { ...childEnvironment(), GOPROXY: 'off', GOTOOLCHAIN: 'local', npm_config_update_notifier: 'false' }
  const { command, args, cwd, label } = task
  const end = await runProcess({ command, args, cwd, env, timeoutMs, signal, onSlow, outputLimit: 512 * 1024 })
  const durationMs = Math.round(end.durationMs)
  if (end.end === 'not-started') {
    return {
      status: 'skipped',
      note: `${label} could not be started: ${shortened(end.error ?? '')}`,
      durationMs,
      findings: [],
    }
  }
  if (end.end === 'timeout') {
    const note = `${label} did not end within ${formatMs(timeoutMs)} and was killed`
    return { status: 'timeout', note, durationMs, findings: [inGeneral('type-check-hung', `${note}.`)] }
  }
  if (end.exitCode === 0) return { status: 'passed', note: label, durationMs, findings: [] }
  // What a shell says where there is no such program: nothing was checked, so nothing failed.
  if (end.exitCode === 127) {
    const note = `${label} could not be run here: ${tellingLine(`${end.stderr}\n${end.stdout}`)}`
    return { status: 'skipped', note, durationMs, findings: [] }
  }
  return { status: 'failed', note: label, durationMs, findings: findingsOf(end, task, root) }
}

/** `a.ts(1,2): error TS1: …`, `a.ts:1:2 - error TS1: …`, and of Go `./a.go:1:2: …`. */
const complaint =
  /^(?:vet: )?(\S[^\n:(]*?)(?:\((\d+),\d+\)|:(\d+):\d+):?(?: - |:? )\s*(?:error )?(?:(TS\d+): )?(\S.*)$/gm

function findingsOf(end: ProcessEnd, task: TypeCheckTask, root: string): Finding[] {
  const output = `${end.stdout}\n${end.stderr}`
  const found = [...output.matchAll(complaint)].flatMap(
    ([, path = '', line, otherLine, code, text = '']): Finding[] => {
      const file = pathInside(root, task.cwd, path)
      if (file === undefined || !/\.\w+$/.test(file)) return []
      const message = shortened(maskSecrets(code ? `${code}: ${text}` : text))
      return [{ file, line: Math.max(1, Number(line ?? otherLine)), rule: 'type-check', severity: 'error', message }]
    },
  )
  const ordered = orderFindings(found)
  if (ordered.length === 0) return [inGeneral('type-check', `${task.label} failed: ${tellingLine(output)}`)]
  if (ordered.length <= findingLimit) return ordered
  const rest = ordered.length - findingLimit
  return [...ordered.slice(0, findingLimit), inGeneral('type-check', `${task.label} found ${rest} more.`)]
}

function inGeneral(rule: string, message: string): Finding {
  return { file: 'package.json', line: 1, rule, severity: 'error', message: shortened(message) }
}
