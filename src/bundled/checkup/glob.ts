/**
 * Patterns for files as people write them: a path, a directory, or a glob with `*`, `**`, `?`, `[abc]` and `{a,b}`. A
 * pattern without `/` is met at any depth. Paths are relative with `/`.
 */

export function matchesPattern(file: string, pattern: string): boolean {
  const plain = pattern.replace(/^\.\//, '').replace(/\/+$/, '')
  if (plain === '' || plain === '.') return true
  if (file === plain || file.startsWith(`${plain}/`)) return true
  if (globExpression(plain).test(file)) return true
  return !plain.includes('/') && globExpression(`**/${plain}`).test(file)
}

function globExpression(glob: string): RegExp {
  const source = glob.replace(/\*\*\/|\*\*|\*|\?|\{[^{}]*\}|\[[^\]]*\]|[^*?{[]+|[{[]/g, part => {
    if (part === '**/') return '(?:[^/]+/)*'
    if (part === '**') return '.*'
    if (part === '*') return '[^/]*'
    if (part === '?') return '[^/]'
    if (part.length > 1 && part.startsWith('{')) return `(?:${part.slice(1, -1).split(',').map(withStars).join('|')})`
    if (/^\[!?[\w.-]+\]$/.test(part)) return part.replace('[!', '[^')
    return quoted(part)
  })
  return new RegExp(`^${source}$`)
}

const quoted = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
const withStars = (text: string): string => text.split('*').map(quoted).join('[^/]*')
