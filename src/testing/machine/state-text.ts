/** A state value as people write it: `open.waiting`, of parallel regions `upload.busy + form.shown`. */
export function stateText(value: unknown): string {
  if (typeof value === 'string') return value
  const regions = Object.entries(Object(value) as Record<string, unknown>)
  if (regions.length === 0) return '(root)'
  return regions.map(([name, inner]) => (isEmpty(inner) ? name : `${name}.${inBrackets(inner)}`)).join(' + ')
}

const isEmpty = (value: unknown): boolean => typeof value === 'object' && Object.keys(Object(value)).length === 0

const inBrackets = (value: unknown): string => {
  const text = stateText(value)
  return typeof value === 'object' && Object.keys(Object(value)).length > 1 ? `(${text})` : text
}
