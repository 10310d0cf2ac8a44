/**
 * Blanks what is not code: comments and the insides of strings and regular expressions become spaces of the same
 * length, so that every position stays where it was and quotes still show where a string begins. What is inserted into
 * a template or an f-string is code and stays. It knows just enough of each language to be right about real files, and
 * recovers at the end of a line from what it does not understand.
 */

export type Language = 'javascript' | 'python' | 'other'

export function languageOf(file: string): Language {
  if (/\.(?:[cm]?[jt]sx?|vue|svelte)$/.test(file)) return 'javascript'
  if (/\.pyi?$/.test(file)) return 'python'
  return 'other'
}

/** The source with comments and the insides of strings blanked; as long as the source, line by line. */
export function codeOnly(source: string, language: Language): string {
  if (language === 'javascript') return new JavaScriptBlanker(source).blanked()
  if (language === 'python') return blankPython(source)
  return source
}

const blankOf = (text: string): string => text.replace(/[^\n\r]/g, ' ')

/** A word before `/` after which a regular expression begins, not a division. */
const wordsBeforeRegex = new Set(
  'return typeof case in of delete void throw new do else instanceof yield await default extends'.split(' '),
)

class JavaScriptBlanker {
  private readonly source: string
  private position = 0
  private readonly parts: string[] = []
  /** The last piece of code before the position, without white space. */
  private lastCode = ''

  constructor(source: string) {
    this.source = source
  }

  blanked(): string {
    if (this.source.startsWith('#!')) this.blankWhile(/[^\n]*/y)
    this.code(false)
    return this.parts.join('')
  }

  /** Code up to the end, or up to the `}` that closes an insertion into a template. */
  private code(inTemplate: boolean): void {
    let depth = 0
    while (this.position < this.source.length) {
      const char = this.source[this.position] as string
      const next = this.source[this.position + 1]
      if (char === '/' && next === '/') this.blankWhile(/[^\n]*/y)
      else if (char === '/' && next === '*') this.blankWhile(/\/\*[\s\S]*?(?:\*\/|$)/y)
      else if (char === "'" || char === '"') this.quotedString(char)
      else if (char === '`') this.template()
      else if (char === '/' && this.regexMayBegin(next)) this.regex()
      else if (inTemplate && char === '}' && depth === 0) return
      else {
        if (char === '{') depth++
        if (char === '}') depth--
        this.keep()
      }
    }
  }

  /** Keeps one word or one other character. */
  private keep(): void {
    const match = /[\w$]+|[\s\S]/y
    match.lastIndex = this.position
    const text = (match.exec(this.source) as RegExpExecArray)[0]
    this.parts.push(text)
    this.position += text.length
    if (text.trim() !== '') this.lastCode = text
  }

  private blankWhile(pattern: RegExp): void {
    pattern.lastIndex = this.position
    const text = pattern.exec(this.source)?.[0] ?? ''
    this.parts.push(blankOf(text))
    this.position += text.length
  }

  private quotedString(quote: string): void {
    this.keep()
    this.blankWhile(quote === "'" ? /(?:[^'\\\n]|\\[\s\S])*/y : /(?:[^"\\\n]|\\[\s\S])*/y)
    if (this.source[this.position] === quote) this.keep()
    this.lastCode = quote
  }

  private template(): void {
    this.keep()
    while (this.position < this.source.length) {
      this.blankWhile(/(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y)
      if (this.source[this.position] !== '$') break
      this.parts.push('${')
      this.position += 2
      this.lastCode = '{'
      this.code(true)
      if (this.position < this.source.length) this.keep()
    }
    if (this.position < this.source.length) this.keep()
    this.lastCode = '`'
  }

  private regexMayBegin(next: string | undefined): boolean {
    if (next === '>' || next === undefined) return false
    const before = this.lastCode
    if (before === '<' && this.source[this.position - 1] === '<') return false // A closing tag.
    return before === '' || /^[([{},;=:?!&|+\-*%~^<>]$/.test(before) || wordsBeforeRegex.has(before)
  }

  private regex(): void {
    const match = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y
    match.lastIndex = this.position
    const text = match.exec(this.source)?.[0]
    if (text === undefined) {
      this.keep()
      return
    }
    this.parts.push(`/${blankOf(text.slice(1))}`)
    this.position += text.length
    this.lastCode = 'regex'
  }
}

const pythonPiece = /#[^\n]*|([a-z]{0,2})("""|'''|"|')|\w+|[\s\S]/giy

function blankPython(source: string): string {
  const parts: string[] = []
  pythonPiece.lastIndex = 0
  for (let match = pythonPiece.exec(source); match; match = pythonPiece.exec(source)) {
    const [text, prefix = '', quote] = match
    if (text.startsWith('#')) parts.push(blankOf(text))
    else if (quote === undefined) parts.push(text)
    else {
      const inside = pythonStringAt(source, match.index + text.length, quote)
      parts.push(text, /f/i.test(prefix) ? blankOutsideBraces(inside) : blankOf(inside))
      const end = match.index + text.length + inside.length
      const closing = source.startsWith(quote, end) ? quote : ''
      parts.push(closing)
      pythonPiece.lastIndex = end + closing.length
    }
  }
  return parts.join('')
}

function pythonStringAt(source: string, start: number, quote: string): string {
  const inside =
    quote.length === 3
      ? quote === '"""'
        ? /(?:[^"\\]|\\[\s\S]|"(?!""))*/y
        : /(?:[^'\\]|\\[\s\S]|'(?!''))*/y
      : quote === '"'
        ? /(?:[^"\\\n]|\\[\s\S])*/y
        : /(?:[^'\\\n]|\\[\s\S])*/y
  inside.lastIndex = start
  return inside.exec(source)?.[0] ?? ''
}

function blankOutsideBraces(text: string): string {
  return text.replace(/\{\{|\}\}|\{[^{}]*\}|[^{}]+|[{}]/g, part => (/^\{[^{]/.test(part) ? part : blankOf(part)))
}
