/**
 * Runs the recommended rules of secretlint on a text. The rules are used directly: secretlint's own core notes marks of
 * every file in a process-wide list that it searches for each new one, which a long-lived process cannot afford. What a
 * rule says about the value is not taken over, so no value can get out of here; `secretlint-disable` comments hold.
 */
export interface SecretHit {
  /** `github`, `aws`, … */
  readonly rule: string
  /** The kind of secret within the rule, as the rule names it. */
  readonly kind: string
  /** From 1. */
  readonly line: number
  /** Where the value stands: from, to. */
  readonly range: Range
}

type Range = readonly [number, number]

interface Position {
  readonly line: number
  readonly column: number
}

/** What a rule is given to say something with. */
interface RuleContext {
  readonly sharedOptions: object
  createTranslator(messages: unknown): (messageId: string) => { messageId: string; message: string }
  report(descriptor: { readonly message: { readonly messageId: string }; readonly range: Range }): void
  ignore(descriptor: { readonly range: readonly [number, number | null]; readonly targetRuleId: string }): void
}

interface Rule {
  readonly meta: { readonly id: string }
  create(context: RuleContext, options: object): { file?(source: Source): void | Promise<void> }
}

const options: Readonly<Record<string, object>> = { '@secretlint/secretlint-rule-aws': { enableIDScanRule: true } }

/** In the order of the text; a place is named once. */
export async function findSecrets(file: string, content: string): Promise<SecretHit[]> {
  // Loaded when something is scanned: every run of another workflow would wait for it.
  const { rules: recommended } = await import('@secretlint/secretlint-rule-preset-recommend')
  const source = new Source(file, content)
  const reported: { readonly id: string; readonly kind: string; readonly range: Range }[] = []
  const ignored: { readonly target: string; readonly range: Range }[] = []
  for (const rule of recommended as unknown as readonly Rule[]) {
    const { id } = rule.meta
    const context: RuleContext = {
      sharedOptions: {},
      createTranslator: () => messageId => ({ messageId, message: messageId }),
      report: ({ message, range }) => reported.push({ id, kind: message.messageId, range }),
      ignore: ({ range: [from, to], targetRuleId }) =>
        // The end of a block comment is taken for the name of a rule.
        ignored.push({ target: targetRuleId.replace(/\s*\*\/$/, '') || '*', range: [from, to ?? content.length] }),
    }
    await rule.create(context, options[id] ?? {}).file?.(source)
  }
  const kept = reported.filter(
    ({ id, range: [from, to] }) =>
      !ignored.some(({ target, range }) => (target === '*' || target === id) && range[0] <= from && to <= range[1]),
  )
  return [...new Map(kept.map(hit => [hit.range.join(), hit])).values()]
    .map(({ id, kind, range }) => ({
      rule: id.replace(/^.*secretlint-rule-/, ''),
      kind,
      line: source.indexToPosition(range[0]).line,
      range,
    }))
    .sort((a, b) => a.range[0] - b.range[0])
}

/** A text as the rules want to see it. Lines count from 1, columns from 0. */
class Source {
  readonly hasBOM = false
  readonly contentType = 'text'
  readonly content: string
  readonly filePath: string
  readonly ext: string
  private readonly lineStarts: readonly number[]

  constructor(filePath: string, content: string) {
    this.filePath = filePath
    this.content = content
    this.ext = /\.[^./]+$/.exec(filePath)?.[0] ?? ''
    this.lineStarts = [0, ...[...content.matchAll(/\r\n?|\n/g)].map(({ index, 0: end }) => index + end.length)]
  }

  getFilePath(): string {
    return this.filePath
  }

  getPhysicalFilePath(): undefined {
    return undefined // The rules judge the text that they are given and read no file.
  }

  indexToPosition(index: number): Position {
    const after = this.lineStarts.findIndex(start => start > index)
    const line = after === -1 ? this.lineStarts.length : after
    return { line, column: index - (this.lineStarts[line - 1] as number) }
  }

  positionToIndex({ line, column }: Position): number {
    return (this.lineStarts[line - 1] ?? this.content.length) + column
  }

  rangeToLocation([from, to]: Range): { start: Position; end: Position } {
    return { start: this.indexToPosition(from), end: this.indexToPosition(to) }
  }

  locationToRange({ start, end }: { start: Position; end: Position }): Range {
    return [this.positionToIndex(start), this.positionToIndex(end)]
  }
}
