/**
 * Secrets in a file, found by the rules of secretlint. What is documented as an example, is a placeholder, or is said
 * to be one in its line or in the line above is no finding. A finding says what kind of secret it is and where; the
 * value never leaves this file.
 */
import type { Finding } from '../findings.ts'
import { looksLikeTest } from '../test-files.ts'
import { findSecrets } from './secret-rules.ts'

export async function secretsIn(file: string, source: string): Promise<Finding[]> {
  if (isExampleFile(file)) return []
  const hits = await findSecrets(file, source)
  if (hits.length === 0) return []
  const lines = source.split(/\r\n?|\n/)
  return hits
    .filter(({ line, range }) => {
      const above = lines[line - 2] ?? ''
      const isExample = saysExample(lines[line - 1] ?? '') || (isComment(above) && saysExample(above))
      return !isExample && !isPlaceholder(source.slice(...range), looksLikeTest(file))
    })
    .map(({ rule, kind, line }) => ({
      file,
      line,
      rule: `secret-${rule}`,
      severity: 'error',
      message: `This looks like a real secret (${describe(kind)}). Revoke it, then take it out of the history as well.`,
    }))
}

function isExampleFile(file: string): boolean {
  return /\.(?:example|sample|template|dist)$|(?:^|[./_-])(?:example|sample)s?\.[^/]+$/i.test(file)
}

/** `GITHUB_TOKEN` and `PostgreSQLConnection` for people. */
function describe(messageId: string): string {
  return messageId
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/_/g, ' ')
    .toLowerCase()
}

const exampleWords =
  /\b(?:examples?|samples?|dummy|fake|placeholder|mock|not[ -]a[ -]real|not[ -]real|redacted|for[ -]test(?:s|ing)?|test[ -](?:key|token|secret))\b/i

function saysExample(line: string): boolean {
  const comment = /(?:^|\s)(?:\/\/|#|\/\*|\*|--|<!--|;)(.*)$/.exec(line)?.[1]
  return comment !== undefined && exampleWords.test(comment)
}

const isComment = (line: string): boolean => /^\s*(?:\/\/|#|\/\*|\*|--|<!--|;)/.test(line)

/** Whether a value is one that stands in for a secret. In a test, so does any password in an address. */
function isPlaceholder(value: string, inTest: boolean): boolean {
  if (
    /example|x{6,}|\*{3,}|\.{3}|<[^>]+>|\$\{|\{\{|%s|\$\(|your[-_]|changeme|placeholder|dummy|fake|redacted|0{8,}/i.test(
      value,
    )
  ) {
    return true
  }
  const credentials = /^[a-z][a-z0-9+.-]*:\/\/([^:@/\s]*):([^@\s]*)@([^/:?\s]*)/i.exec(value)
  if (credentials) {
    return inTest || isPlaceholderPassword(credentials[1] ?? '', credentials[2] ?? '', credentials[3] ?? '')
  }
  return value.length >= 16 && new Set(value).size <= 6
}

function isPlaceholderPassword(user: string, password: string, host: string): boolean {
  return (
    password === user ||
    /^(?:\$.*|pass(?:word|wd)?\d*|pwd|secret|test(?:ing)?\d*|postgres(?:ql)?|mysql|mongo|root|admin|user|guest|db|local|dev(?:elopment)?|p[a@]ssw[o0]rd|[a-z]|1234?\d*)$/i.test(
      password,
    ) ||
    /^(?:localhost|127\.|0\.0\.0\.0|\[?::1|host(?:name)?$|db$|database$|postgres$|mysql$|mongo$|redis$)|\.(?:test|invalid|local|localhost)$|(?:^|\.)example\./i.test(
      host,
    )
  )
}
