/** Finds calls in code whose comments and strings are blanked, and says what their arguments are made of. */

export interface Call {
  /** Where the matched text begins. */
  readonly index: number
  /** The arguments at the top level, with strings blanked. */
  readonly args: readonly string[]
}

/** Longer argument lists are not followed. */
const argumentsLimit = 4000

/** All calls whose text up to `(` matches; `pattern` is global and ends before the parenthesis. */
export function callsOf(code: string, pattern: RegExp): Call[] {
  const calls: Call[] = []
  for (const match of code.matchAll(pattern)) {
    const after = match.index + match[0].length
    const open = /\s*\(/y
    open.lastIndex = after
    if (!open.test(code)) continue
    const args = argumentsAt(code, open.lastIndex)
    if (args) calls.push({ index: match.index, args })
  }
  return calls
}

function argumentsAt(code: string, start: number): string[] | undefined {
  const args: string[] = []
  let depth = 0
  let from = start
  for (let at = start; at < Math.min(code.length, start + argumentsLimit); at++) {
    const char = code[at] as string
    if ('([{'.includes(char)) depth++
    else if (')]}'.includes(char)) {
      if (depth === 0) {
        const last = code.slice(from, at).trim()
        return last === '' ? args : [...args, last]
      }
      depth--
    } else if (char === ',' && depth === 0) {
      args.push(code.slice(from, at).trim())
      from = at + 1
    }
  }
  return undefined
}

/** One string or number, or several joined with `+`, without anything inserted. */
export function isLiteral(argument: string): boolean {
  return /^(?:[brufBRUF]{0,2}(?:'[^']*'|"[^"]*"|`[^`$]*`)\s*\+?\s*)+$|^[\d._]+$/.test(argument.trim())
}

/** A text that is put together from something that varies: a template, an f-string, `+`, `%` or `.format`. */
export function isComposed(argument: string): boolean {
  const text = argument.trim()
  if (/^`[^`]*\$\{/.test(text) || /^[rR]?[fF][rR]?["'][\s\S]*\{/.test(text)) return true
  if (!/["'`]/.test(text)) return false
  return /["'`]\s*[+%]\s*[\w$([]|[\w$)\]]\s*\+\s*["'`]|["']\s*\.format\s*\(/.test(text)
}
