/** A failing trace for people: as a path through the statechart, and as a test that fails until the machine is mended. */
import type { AnyStateMachine } from 'xstate'
import { formatMs } from '../../time/duration.ts'
import { eventText } from './coverage.ts'
import { show } from './differences.ts'
import type { Persistence } from './machine-world.ts'
import { stateText } from './state-text.ts'
import { isCrash, isTime, type TraceStep } from './trace.ts'
import { Twins } from './twins.ts'

/** One line a step: what happened, and where the machine was after it. */
export function pathOf(
  machine: AnyStateMachine,
  trace: readonly TraceStep[],
  { input, persistence }: { readonly input: unknown; readonly persistence: Persistence },
): string {
  const twins = new Twins(machine, { input, persistence, invariants: [] })
  twins.start()
  const place = (): string => stateText(twins.original.snapshot.value)
  const lines = [`  ${place()}`]
  let hasCrashed = false
  for (const step of trace) {
    hasCrashed ||= isCrash(step)
    const violation = twins.take(step)
    const resumed = hasCrashed && twins.twinState !== place() ? `   (resumed after the crash: ${twins.twinState})` : ''
    lines.push(`  --${stepText(step)}--> ${violation && !resumed ? `${place()}   (!)` : place()}${resumed}`)
    if (violation) break
  }
  return lines.join('\n')
}

function stepText(step: TraceStep): string {
  if (isCrash(step)) return 'CRASH+RESTORE'
  if (isTime(step)) return `${formatMs(step.ms)} passes`
  const { type, ...data } = step
  const carries = type.startsWith('xstate.') || Object.keys(data).length === 0 ? '' : ` ${show(data)}`
  return `${eventText(type)}${carries}`
}

/** A file for Vitest in which only the import of the machine, and of the invariants, is yours to fill in. */
export function vitestFileOf(
  machine: AnyStateMachine,
  trace: readonly TraceStep[],
  options: {
    readonly input: unknown
    readonly persistence: Persistence
    readonly invariant: string
    readonly isOwn: boolean
  },
): string {
  const settings = [
    ...(options.isOwn ? ['invariants'] : []),
    ...(options.persistence === 'xstate' ? [] : [`persistence: '${options.persistence}'`]),
    ...(options.input === undefined ? [] : [`input: ${sourceOf(options.input)}`]),
  ]
  return [
    "import { checkTrace } from 'holdfast/testing'",
    "import { expect, it } from 'vitest'",
    `import { ${options.isOwn ? 'invariants, ' : ''}machine } from './machine.ts' // where yours is`,
    '',
    `it(${quoted(`${machine.id}: ${options.invariant}`)}, () => {`,
    '  const trace = [',
    ...trace.map(step => `    ${sourceOf(step)},`),
    '  ]',
    `  const { ok, report } = checkTrace(machine, trace${settings.length > 0 ? `, { ${settings.join(', ')} }` : ''})`,
    '  expect(ok, report).toBe(true)',
    '})',
    '',
  ].join('\n')
}

const quoted = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`

/** A value as an expression of JavaScript. */
export function sourceOf(value: unknown): string {
  if (value === undefined) return 'undefined'
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (value instanceof Date) return `new Date(${quoted(value.toISOString())})`
  if (value instanceof Error) return `new Error(${quoted(value.message)})`
  if (value instanceof Map || value instanceof Set)
    return `new ${value instanceof Map ? 'Map' : 'Set'}(${sourceOf([...value])})`
  if (Array.isArray(value)) return `[${value.map(sourceOf).join(', ')}]`
  if (value === null || typeof value !== 'object') return String(value)
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  const keyOf = (key: string): string => (/^[A-Za-z_$][\w$]*$/.test(key) && key !== '__proto__' ? key : quoted(key))
  return entries.length === 0
    ? '{}'
    : `{ ${entries.map(([key, inner]) => `${key === '__proto__' ? "['__proto__']" : keyOf(key)}: ${sourceOf(inner)}`).join(', ')} }`
}
