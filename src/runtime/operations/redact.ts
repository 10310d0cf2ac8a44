/**
 * Takes secrets out of data that leaves the machine: values under keys that name one, texts that have the form of one,
 * and values that the environment holds under such names. It errs towards taking out too much; what a person must
 * still read (ids, stages, counts of tokens) is not under such names.
 */

export interface Redactor {
  /** A copy of JSON data without its secrets. */
  redact<T>(value: T): T
  /** JSON text, redacted; the empty text stays. */
  redactText(text: string): string
  /** How many values were taken out so far. */
  readonly count: number
}

const mark = '[redacted]'

const secretWords = new Set([
  'password',
  'passwd',
  'passphrase',
  'pwd',
  'secret',
  'secrets',
  'token',
  'authorization',
  'cookie',
  'cookies',
  'credential',
  'credentials',
  'apikey',
  'dsn',
])
const secretEndings = /(?:^|_)(?:api|access|private|secret|signing|encryption|client|account|auth|session)_?key$/

/** `sessionToken`, `API_KEY` and `set-cookie` name secrets; `inputTokens`, `key` and `idempotencyKey` do not. */
function namesSecret(key: string): boolean {
  const words = key
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
  return secretWords.has(words.at(-1) ?? '') || secretEndings.test(words.join('_'))
}

const forms: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\b(?:sk|rk|pk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9_-]{16,}/g,
  /\b(?:gh[pousr]_|github_pat_|glpat-|npm_|pypi-|hf_|xox[a-z]-|dop_v1_|shpat_)[A-Za-z0-9_-]{16,}/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\bAIza[A-Za-z0-9_-]{30,}/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g,
  /(?<=\b(?:Bearer|Basic)\s)[A-Za-z0-9._~+/-]{12,}=*/gi,
  /(?<=[a-z][a-z0-9+.-]*:\/\/[^/\s:@"]*:)[^/\s@"]+(?=@)/gi,
  /(?<=\b(?:password|passwd|secret|api[_-]?key|access[_-]?token)["']?\s*[=:]\s*["']?)[^\s"'&,;]{4,}/gi,
]

/** @param values secrets that are known as they are, such as those of the environment */
export function createRedactor(values: readonly string[] = []): Redactor {
  const known = [...new Set(values)].sort((a, b) => b.length - a.length)
  let count = 0

  const take = (): string => {
    count++
    return mark
  }

  const redactString = (text: string): string => {
    let rest = text
    for (const value of known) if (rest.includes(value)) rest = rest.split(value).join(take())
    for (const form of forms) rest = rest.replace(form, found => (found === mark ? found : take()))
    return rest
  }

  const walk = (value: unknown, key?: string): unknown => {
    if (key !== undefined && namesSecret(key) && isWorthHiding(value)) return take()
    if (typeof value === 'string') return redactString(value)
    if (Array.isArray(value)) return value.map(item => walk(item, key))
    if (value === null || typeof value !== 'object') return value
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [redactString(name), walk(item, name)]))
  }

  return {
    redact: value => walk(value) as typeof value,
    redactText: text => (text === '' ? text : JSON.stringify(walk(JSON.parse(text)))),
    get count() {
      return count
    },
  }
}

const isWorthHiding = (value: unknown): boolean =>
  (typeof value === 'string' && value !== '') || typeof value === 'number' || typeof value === 'bigint'
