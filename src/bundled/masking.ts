/**
 * Takes secrets out of text that is shown, kept or sent. It recognises the shapes of well-known keys, credentials in
 * addresses, private key blocks, and whatever is assigned to a name such as `password`. It would rather mask too much
 * than too little: what it guards is output, not evidence.
 */

const mask = '[masked]'

interface Shape {
  readonly pattern: RegExp
  readonly replacement: string
}

const shapes: readonly Shape[] = [
  {
    pattern:
      /-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|$)/g,
    replacement: mask,
  },
  // GitHub, GitLab, npm, Slack, Stripe, OpenAI, Anthropic, Google, SendGrid, Docker, Hugging Face, AWS, JWT.
  { pattern: /\b(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{16,}/g, replacement: mask },
  { pattern: /\b(?:glpat-|npm_|dckr_pat_|hf_|shp(?:at|ca|pa|ss)_)[A-Za-z0-9_-]{16,}/g, replacement: mask },
  { pattern: /\bxox[a-z]-[A-Za-z0-9-]{10,}/g, replacement: mask },
  { pattern: /\b(?:sk|pk|rk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9_-]{16,}/g, replacement: mask },
  { pattern: /\bAIza[A-Za-z0-9_-]{30,}/g, replacement: mask },
  { pattern: /\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}/g, replacement: mask },
  { pattern: /\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b/g, replacement: mask },
  { pattern: /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?/g, replacement: mask },
  { pattern: /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/:@'"`]*:[^\s@'"`]+@/gi, replacement: `$1${mask}@` },
  { pattern: /\b(bearer|basic)\s+[A-Za-z0-9._~+/-]{12,}=*/gi, replacement: `$1 ${mask}` },
  {
    pattern:
      /((?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)["'`]?\s*[:=]\s*)(?:"[^"\n]{4,}"|'[^'\n]{4,}'|`[^`\n]{4,}`|[^\s"'`,;(){}[\]]{8,})/gi,
    replacement: `$1${mask}`,
  },
]

/** The text with everything that looks like a secret replaced by `[masked]`. */
export function maskSecrets(text: string): string {
  return shapes.reduce((masked, { pattern, replacement }) => masked.replace(pattern, replacement), text)
}
