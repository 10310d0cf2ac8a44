/**
 * TypeScript as words, strings and signs. Comments, the insides of strings and templates, and regular expressions are
 * recognised and left out, so that a test which looks for code is not misled by text about code.
 */
export interface Token {
  readonly kind: 'word' | 'string' | 'sign'
  readonly text: string
}

const patterns = {
  comment: /\/\/[^\n]*|\/\*[\s\S]*?\*\//y,
  string: /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"/y,
  word: /[\p{L}\p{N}_$#]+/uy,
  regex: /\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y,
} as const

/** What a value cannot stand before a `/`: there it begins a regular expression. */
const beforeRegex = /^(?:[([{};,=:!&|?+\-*%<>~^]|return|typeof|case|in|of|do|else|void)$/

export function tokensOf(source: string): Token[] {
  const tokens: Token[] = []
  /** For each open `${`, how many braces were opened in it. */
  const templates: number[] = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(source)
    if (match) at += match[0].length
    return match
  }
  const takeTemplate = (): void => {
    for (at++; at < source.length; at++) {
      if (source[at] === '\\') at++
      else if (source[at] === '`') return void at++
      else if (source.startsWith('${', at)) {
        templates.push(0)
        at += 2
        return
      }
    }
  }
  while (at < source.length) {
    const character = source[at] as string
    const isRegex = (): boolean => tokens.length === 0 || beforeRegex.test((tokens.at(-1) as Token).text)
    if (/\s/.test(character)) at++
    else if (take(patterns.comment)) continue
    else if (character === '`') {
      tokens.push({ kind: 'sign', text: '`' })
      takeTemplate()
    } else if (character === "'" || character === '"') {
      const match = take(patterns.string)
      if (match) tokens.push({ kind: 'string', text: match[1] ?? match[2] ?? '' })
      else at++
    } else if (character === '/' && isRegex() && take(patterns.regex)) tokens.push({ kind: 'sign', text: 'regex' })
    else {
      const word = take(patterns.word)
      if (word) {
        tokens.push({ kind: 'word', text: word[0] })
        continue
      }
      at++
      const depth = templates.length - 1
      if (character === '}' && templates[depth] === 0) {
        templates.pop()
        at--
        takeTemplate()
        continue
      }
      if (character === '{' && depth >= 0) templates[depth] = (templates[depth] as number) + 1
      if (character === '}' && depth >= 0) templates[depth] = (templates[depth] as number) - 1
      tokens.push({ kind: 'sign', text: character })
    }
  }
  return tokens
}
