import { describe, expect, it } from 'vitest'
import { readSource, sourceFiles } from '../support/import-graph.ts'
import { type Token, tokensOf } from '../support/tokens.ts'

type Ambient = 'time' | 'chance' | 'environment'

/** As the tokens of the code, with spaces between them. */
const forbidden: Readonly<Record<string, Ambient>> = {
  'Date . now': 'time',
  'Date ( )': 'time',
  'performance . now': 'time',
  'process . hrtime': 'time',
  'Math . random': 'chance',
  randomUUID: 'chance',
  randomBytes: 'chance',
  getRandomValues: 'chance',
  'process . env': 'environment',
}

/**
 * What may reach out by itself, and why. Everything else is given its clock, chance and settings: code that reads the
 * time by itself cannot be simulated.
 */
const allowed: readonly { readonly path: string; readonly what: readonly Ambient[]; readonly why: string }[] = [
  { path: 'src/time/clock.ts', what: ['time'], why: 'the system clock is made here' },
  { path: 'src/time/random.ts', what: ['chance'], why: 'system chance is made here' },
  { path: 'src/config/', what: ['environment'], why: 'the environment is read here' },
  { path: 'src/cli/', what: ['environment', 'time'], why: 'the terminal is the real world' },
  {
    path: 'src/testing/ambient-clock.ts',
    what: ['time', 'chance'],
    why: 'what reads them by itself is held still here',
  },
  { path: 'src/store/sqlite-command-watch.ts', what: ['time'], why: 'an adapter that looks at a real file' },
]

function ambientIn(source: string): Ambient[] {
  const tokens = tokensOf(source)
  const found = new Set<Ambient>()
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'word') continue
    for (const [code, what] of Object.entries(forbidden)) {
      const words = code.split(' ')
      if (words.every((word, offset) => tokens[index + offset]?.text === word)) found.add(what)
    }
    if (/^set(?:Timeout|Interval)$/.test(token.text) && !isGivenClock(tokens, index)) found.add('time')
  }
  return [...found]
}

/** Whether `setTimeout` here belongs to a clock that was given, or is the declaration of one. */
function isGivenClock(tokens: readonly Token[], index: number): boolean {
  if (tokens[index - 1]?.text === '.') return tokens[index - 2]?.text !== 'globalThis'
  if (tokens[index + 1]?.text === ':') return true
  if (tokens[index + 1]?.text !== '(') return false
  let depth = 0
  let end = index + 1
  for (; end < tokens.length; end++) {
    if (tokens[end]?.text === '(') depth++
    if (tokens[end]?.text === ')' && --depth === 0) break
  }
  return tokens[end + 1]?.text === ':' || tokens[end + 1]?.text === '{'
}

const allowance = (file: string) =>
  allowed.filter(({ path }) => file === path || (path.endsWith('/') && file.startsWith(path)))

describe('the source', () => {
  const files = sourceFiles('src', 'machines')

  it('takes time, chance and the environment only where the list says so', () => {
    const found = files.flatMap(file => {
      const permitted = allowance(file).flatMap(({ what }) => what)
      return ambientIn(readSource(file))
        .filter(what => !permitted.includes(what))
        .map(what => `${file}: ${what}`)
    })
    expect(found).toEqual([])
  })

  it('has no permission that nobody needs', () => {
    const unused = allowed
      .filter(({ path }) => !path.endsWith('/'))
      .flatMap(({ path, what }) => {
        const used = ambientIn(readSource(path))
        return what.filter(one => !used.includes(one)).map(one => `${path}: ${one}`)
      })
    expect(unused).toEqual([])
  })
})

describe('the check for it', () => {
  it.each([
    ['const at = Date.now()', 'time'],
    ['const at = new Date()', 'time'],
    ['setTimeout(() => {}, 10)', 'time'],
    ['await new Promise(resolve => setTimeout(resolve, 10))', 'time'],
    ['globalThis.performance.now()', 'time'],
    ['const unit = Math.random()', 'chance'],
    ['const key = process.env.KEY', 'environment'],
    [`const text = \`\${Date.now()}\``, 'time'],
  ])('refuses %s', (source, what) => {
    expect(ambientIn(source)).toEqual([what])
  })

  it.each([
    ['clock.setTimeout(fire, 10)'],
    ['const date = new Date(clock.now())'],
    ["// Date.now() is not read\nconst text = 'Math.random()'"],
    ['interface Clock { setTimeout(callback: () => void, ms: number): unknown }'],
    ['const clock = { setTimeout(callback, ms) { return wheel.add(callback, ms) } }'],
    ['const clock = { setTimeout: (callback, ms) => wheel.add(callback, ms) }'],
  ])('lets %s pass', source => {
    expect(ambientIn(source)).toEqual([])
  })
})
