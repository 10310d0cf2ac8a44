/**
 * A plan in Markdown. A command is a fenced block of `sh` or `bash`, or the code in an item of a task list; the item that
 * has none takes the block that is indented below it. What is ticked off is done already. Titles come from the item, from
 * the heading above, or from the command itself; `timeout=5m retries=2 cwd=web continueOnError name="…" shell=…` may
 * follow the language of a block. All else is prose. What could be meant in two ways is refused, never guessed.
 */
import { describeIssue } from '../../options.ts'
import { type WrittenCommand, writtenCommandSchema } from './plan.ts'
import { planProblem } from './plan-problem.ts'
import type { WrittenPlan } from './yaml-plan.ts'

const headingLine = /^ {0,3}(#{1,6})\s+(.+?)\s*#*\s*$/
const fenceLine = /^(\s*)(`{3,}|~{3,})\s*(.*?)\s*$/
const taskLine = /^(\s*)(?:[-*+]|\d+[.)])\s+\[([ xX])\]\s+(.*)$/
const listLine = /^\s*(?:[-*+]|\d+[.)])\s/
const codeSpan = /(`+)(.+?)\1(?!`)/g
const attribute = /^([A-Za-z]+)(?:=("[^"]*"|'[^']*'|\S+))?(?:\s+|$)/

interface Task {
  readonly title: string
  readonly line: number
  readonly indent: number
  readonly isDone: boolean
  hasCommand: boolean
}

/** @throws ConfigError that names the line */
export function parseMarkdownPlan(text: string, file: string): WrittenPlan {
  return new MarkdownReader(text.split(/\r?\n/), file).read()
}

class MarkdownReader {
  readonly #lines: readonly string[]
  readonly #file: string
  readonly #commands: WrittenCommand[] = []
  readonly #done: string[] = []
  readonly #titles = new Map<string, number>()
  #title: string | undefined
  #heading: string | undefined
  #task: Task | undefined
  #at = 0

  constructor(lines: readonly string[], file: string) {
    this.#lines = lines
    this.#file = file
  }

  read(): WrittenPlan {
    for (; this.#at < this.#lines.length; this.#at++) {
      const line = this.#lines[this.#at] as string
      const fence = fenceLine.exec(line)
      const heading = headingLine.exec(line)
      const task = taskLine.exec(line)
      if (line.trimStart().startsWith('<!--')) this.#skipComment()
      else if (fence) this.#readBlock(fence)
      else if (heading) this.#readHeading(heading)
      else if (task) this.#readTask(task)
    }
    this.#endTask()
    if (this.#commands.length === 0) {
      const said = this.#done.length > 0 ? 'every task of it is ticked off' : 'it has no command'
      throw this.#problem(
        1,
        `${said}; write commands as blocks that begin with \`\`\`sh, or as tasks: - [ ] Test: \`npm test\``,
      )
    }
    return { title: this.#title, defaults: {}, commands: this.#commands, done: this.#done }
  }

  #problem(line: number, what: string): Error {
    return planProblem({ file: this.#file, line }, what)
  }

  #skipComment(): void {
    const start = this.#at
    while (this.#at < this.#lines.length && !(this.#lines[this.#at] as string).includes('-->')) this.#at++
    if (this.#at === this.#lines.length) throw this.#problem(start + 1, 'the comment has no end; close it with -->')
  }

  #readHeading([, marks = '', text = '']: readonly string[]): void {
    this.#endTask()
    if (marks.length === 1 && this.#title === undefined && this.#commands.length === 0) this.#title = plain(text)
    else this.#heading = plain(text)
  }

  #readTask([, indent = '', tick = ' ', first = '']: readonly string[]): void {
    this.#endTask()
    const line = this.#at + 1
    let text = first
    // What goes on below, indented, belongs to the item.
    for (;;) {
      const next = this.#lines[this.#at + 1] ?? ''
      if (!/^\s+\S/.test(next) || listLine.test(next) || fenceLine.test(next)) break
      text += ` ${next.trim()}`
      this.#at++
    }
    const spans = [...text.matchAll(codeSpan)]
    const title = plain(text.replace(codeSpan, '').replace(/[\s:–—-]+$/, ''))
    const isDone = tick !== ' '
    const [span] = spans
    this.#task = { title, line, indent: indent.length, isDone, hasCommand: span !== undefined }
    if (isDone) this.#done.push(title || (span?.[2] ?? ''))
    else if (spans.length > 1) {
      throw this.#problem(
        line,
        'the task has more than one piece of code; give the command a block of its own below it, indented',
      )
    } else if (span) this.#add({ name: title, run: (span[2] as string).trim() }, line)
  }

  #endTask(): void {
    const task = this.#task
    this.#task = undefined
    if (!task || task.isDone || task.hasCommand) return
    throw this.#problem(
      task.line,
      `the task '${task.title}' has no command; write it in backticks, or in a block of sh below it, indented`,
    )
  }

  #readBlock([, indent = '', marks = '', info = '']: readonly string[]): void {
    const start = this.#at
    const isEnd = new RegExp(`^\\s*${marks[0] as string}{${marks.length},}\\s*$`)
    const body: string[] = []
    for (this.#at++; ; this.#at++) {
      const line = this.#lines[this.#at]
      if (line === undefined) throw this.#problem(start + 1, `the block has no end; close it with ${marks}`)
      if (isEnd.test(line)) break
      body.push(line.startsWith(indent) ? line.slice(indent.length) : line.trimStart())
    }
    const [language = '', ...rest] = info.split(/\s+/)
    if (language === '') {
      throw this.#problem(
        start + 1,
        `the block has no language; begin it with ${marks}sh for a command, ${marks}text for what is none`,
      )
    }
    const shell = shellOf(language)
    const owner = this.#task && indent.length > this.#task.indent ? this.#task : undefined
    if (shell === undefined || owner?.isDone) return
    if (owner) owner.hasCommand = true
    else this.#endTask()
    const run = body.join('\n').trim()
    if (run === '') throw this.#problem(start + 1, 'the block is empty; write a command into it or take it out')
    const usual = owner?.title ?? this.#heading
    this.#add({ shell, name: usual, run, ...this.#attributes(rest.join(' '), start + 1) }, start + 1)
  }

  #attributes(text: string, line: number): Record<string, unknown> {
    const given: Record<string, unknown> = {}
    for (let rest = text; rest !== ''; ) {
      const [whole, name = '', value] = attribute.exec(rest) ?? []
      if (whole === undefined) throw this.#problem(line, `'${rest}' is no setting; write name=value, as in timeout=5m`)
      given[name] = value === undefined ? true : settingOf(name, value.replace(/^(["'])(.*)\1$/, '$2'))
      rest = rest.slice(whole.length)
    }
    return given
  }

  #add({ name, ...written }: Record<string, unknown>, line: number): void {
    const usual = typeof name === 'string' && name !== '' ? name : firstLineOf(String(written.run))
    const parsed = writtenCommandSchema.safeParse({ ...written, name: this.#distinct(usual) })
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      throw this.#problem(line, issue ? describeIssue(issue, writtenCommandSchema) : parsed.error.message)
    }
    this.#commands.push(parsed.data)
  }

  /** Several blocks under one heading are numbered. */
  #distinct(title: string): string {
    const number = (this.#titles.get(title) ?? 0) + 1
    this.#titles.set(title, number)
    return number === 1 ? title : `${title} (${number})`
  }
}

function shellOf(language: string): WrittenCommand['shell'] {
  if (/^(?:sh|shell)$/i.test(language)) return 'sh'
  return /^bash$/i.test(language) ? 'bash' : undefined
}

const settingOf = (name: string, text: string): unknown => {
  if (name === 'retries') return Number(text)
  return name === 'continueOnError' && /^(?:true|false)$/.test(text) ? text === 'true' : text
}

const plain = (markdown: string): string => markdown.replace(/[`*_]{1,3}(\S.*?\S|\S)[`*_]{1,3}/g, '$1').trim()

const firstLineOf = (run: string): string => (run.split('\n')[0] as string).slice(0, 80)
