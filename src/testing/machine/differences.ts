/**
 * Where two values differ, as a program that reads them would notice. A key that is undefined and one that is absent are
 * the same, since hardly any program tells them apart and JSON does not keep them; a Date and its text are not.
 */

/** The first difference as `context.paidAt: a Date and not a string`, or undefined. */
export function differenceOf(expected: unknown, actual: unknown, path: string): string | undefined {
  // 0 and -0 are the same to hardly any program, and JSON does not keep the sign.
  if (expected === actual || Object.is(expected, actual)) return undefined
  if (isActor(expected) && isActor(actual)) {
    return expected.id === actual.id ? undefined : `${path}: actor '${expected.id}' and not '${actual.id}'`
  }
  if (kindOf(expected) !== kindOf(actual) || !isObject(expected) || !isObject(actual)) {
    return `${path}: ${show(expected)} and not ${show(actual)}`
  }
  if (expected instanceof Date) {
    return expected.getTime() === (actual as unknown as Date).getTime()
      ? undefined
      : `${path}: ${show(expected)} and not ${show(actual)}`
  }
  if (expected instanceof Map || expected instanceof Set) {
    return differenceOf([...expected], [...(actual as unknown as Set<unknown>)], path)
  }
  if (expected instanceof Error) return differenceOf(expected.message, actual.message, `${path}.message`)
  return differenceOfKeys(expected, actual, path)
}

function differenceOfKeys(
  expected: Readonly<Record<string, unknown>>,
  actual: Readonly<Record<string, unknown>>,
  path: string,
): string | undefined {
  for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    const place = Array.isArray(expected) ? `${path}[${key}]` : `${path}.${key}`
    const difference = differenceOf(expected[key], actual[key], place)
    if (difference !== undefined) return difference
  }
  return undefined
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object'

const isActor = (value: unknown): value is { readonly id: string } =>
  isObject(value) && typeof value.getSnapshot === 'function' && typeof value.send === 'function'

/** What a program can do with a value hangs on this: two of different kinds are never the same. */
function kindOf(value: unknown): string {
  if (value === null || typeof value !== 'object') return typeof value
  if (Array.isArray(value)) return 'array'
  return (value.constructor as { name?: string } | undefined)?.name ?? 'Object'
}

export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'number') return String(value)
  if (isObject(value) && !Array.isArray(value) && kindOf(value) !== 'Object') return `a ${kindOf(value)}`
  const text = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value))
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
