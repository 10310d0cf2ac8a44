/**
 * Calls that let data become code or switch a protection off. Only what is almost always wrong is a finding: text from
 * comments and strings never is, nor is a call whose argument is a literal. Test files are not looked at; they call
 * such things on purpose.
 */
import type { Finding, Severity } from '../findings.ts'
import { type Call, callsOf, isComposed, isLiteral } from './calls.ts'
import { codeOnly, languageOf } from './code-only.ts'

interface Hit {
  readonly index: number
  readonly rule: string
  readonly severity: Severity
  readonly message: string
}

export function dangerousCalls(file: string, source: string): Finding[] {
  const language = languageOf(file)
  if (language === 'other') return []
  const code = codeOnly(source, language)
  const hits = language === 'javascript' ? inJavaScript(code, source) : inPython(code)
  return hits.map(({ index, ...hit }) => ({ file, line: lineAt(source, index), ...hit }))
}

function lineAt(source: string, index: number): number {
  let line = 1
  for (let at = source.indexOf('\n'); at !== -1 && at < index; at = source.indexOf('\n', at + 1)) line++
  return line
}

function inJavaScript(code: string, source: string): Hit[] {
  return [...evaluation(code), ...shellCommands(code, source), ...protectionsOff(code, source), ...markup(code)]
}

function evaluation(code: string): Hit[] {
  const evaluated = callsOf(code, /(?<![\w$.#]|\bfunction\s)(?:(?:globalThis|window)\.)?eval\b/g)
  const constructed = callsOf(code, /(?<![\w$.#])new\s+Function\b/g)
  return [
    ...evaluated
      .filter(isCallOfVariable(code))
      .map(hit('dangerous-eval', 'error', 'eval runs text that is not fixed; whoever can change the text runs code.')),
    ...constructed
      .filter(call => call.args.some(argument => !isLiteral(argument)))
      .map(
        hit(
          'dangerous-function',
          'error',
          'new Function compiles text that is not fixed; whoever can change the text runs code.',
        ),
      ),
  ]
}

/** A call, not the definition of a method of that name, whose first argument varies. */
function isCallOfVariable(code: string): (call: Call) => boolean {
  return ({ index, args }) => {
    const [first] = args
    if (first === undefined || isLiteral(first)) return false
    const rest = code.slice(index, index + 4200)
    return !/^[\w.]*\s*\([^()]*\)\s*(?::\s*[\w<>[\]| ]+)?\s*\{/.test(rest)
  }
}

const childProcess = `['"](?:node:)?child_process['"]`

function shellCommands(code: string, source: string): Hit[] {
  const names = shellFunctions(source)
  if (names.length === 0) return []
  const pattern = new RegExp(`(?<![\\w$.#]|\\bfunction\\s)(?:${names.map(quoted).join('|')})(?![\\w$])`, 'g')
  return callsOf(code, pattern)
    .filter(({ args }) => args[0] !== undefined && isComposed(args[0]))
    .map(
      hit(
        'dangerous-shell',
        'warning',
        'A shell command is put together from variables; use execFile or spawn with a list of arguments.',
      ),
    )
}

/** By which names `exec` and `execSync` of `child_process` go in this file. */
function shellFunctions(source: string): string[] {
  const names: string[] = []
  const named = new RegExp(
    `(?:import|const|let|var)\\s*(?:[\\w$]+\\s*,\\s*)?\\{([^{}]*)\\}\\s*(?:from|=\\s*(?:await\\s+import|require)\\s*\\()\\s*${childProcess}`,
    'g',
  )
  for (const [, list = ''] of source.matchAll(named)) {
    for (const entry of list.split(',')) {
      const match = /^\s*(exec|execSync)\s*(?:(?:as|:)\s*([\w$]+))?\s*$/.exec(entry)
      if (match) names.push(match[2] ?? (match[1] as string))
    }
  }
  const whole = new RegExp(
    `(?:import\\s+(?:\\*\\s+as\\s+)?|(?:const|let|var)\\s+)([\\w$]+)\\s*(?:from\\s*|=\\s*require\\s*\\(\\s*)${childProcess}`,
    'g',
  )
  for (const [, name] of source.matchAll(whole)) names.push(`${name}.exec`, `${name}.execSync`)
  const promised = /(?:const|let|var)\s+([\w$]+)\s*=\s*(?:[\w$]+\.)?promisify\(\s*([\w$.]+)\s*\)/g
  for (const [, name, wrapped] of source.matchAll(promised)) {
    if (name && wrapped && names.includes(wrapped)) names.push(name)
  }
  return names
}

function protectionsOff(code: string, source: string): Hit[] {
  const certificates =
    'The certificates of TLS connections are not checked; anyone on the way can read and change them.'
  const environment = [...code.matchAll(/\benv\.NODE_TLS_REJECT_UNAUTHORIZED\s*=(?!=)/g)].filter(match =>
    /^\s*['"`]?0\b/.test(source.slice(match.index + match[0].length)),
  )
  return [
    ...matches(code, /\brejectUnauthorized\s*:\s*false\b/g).map(hit('tls-not-checked', 'error', certificates)),
    ...environment.map(({ index }) => index).map(index => hit('tls-not-checked', 'error', certificates)({ index })),
    ...matches(code, /\bcheckServerIdentity\s*:\s*(?:\(\s*\)|\w+)\s*=>\s*(?:undefined|null|\{\s*\})/g).map(
      hit('host-not-checked', 'error', 'The name in the certificate of a TLS connection is not checked.'),
    ),
    ...matches(code, /\b(?:disableHostCheck|dangerouslyDisableHostCheck)\s*:\s*true\b/g).map(
      hit(
        'host-not-checked',
        'warning',
        'The server answers to any host name, which lets other sites reach it (DNS rebinding).',
      ),
    ),
  ]
}

const cleaned = /saniti[sz]e|purify|escape|encode|trusted/i

function markup(code: string): Hit[] {
  const message = 'Markup is set from a variable; whoever can change it runs code in the page.'
  const assigned = [...code.matchAll(/\.(?:innerHTML|outerHTML)\s*\+?=(?![=>])\s*([^;\n]*)/g)].filter(
    ([, value = '']) => value.trim() !== '' && !isLiteral(value) && !cleaned.test(value) && varies(value),
  )
  const inserted = [...code.matchAll(/\bdangerouslySetInnerHTML\s*=\s*\{\{\s*__html\s*:\s*([^{}]*)\}\}/g)].filter(
    ([, value = '']) => !isLiteral(value) && !cleaned.test(value) && varies(value),
  )
  return [...assigned, ...inserted].map(({ index }) => hit('dangerous-markup', 'warning', message)({ index }))
}

/** Something other than literals and CONSTANTS is in it. */
function varies(value: string): boolean {
  if (/^`[^`]*$/.test(value.trim()) && !value.includes('${')) return false
  return /[a-z]/.test(value.replace(/\b(?:true|false|null|undefined)\b/g, ''))
}

function inPython(code: string): Hit[] {
  const shell = callsOf(code, /\bsubprocess\.(?:run|call|Popen|check_output|check_call)\b/g).filter(
    ({ args }) => args.some(argument => /^shell\s*=\s*True$/.test(argument)) && isComposed(args[0] ?? ''),
  )
  const system = callsOf(code, /(?<![\w.])os\.(?:system|popen)\b/g).filter(({ args }) => isComposed(args[0] ?? ''))
  const pickled = callsOf(code, /\b(?:c?[pP]ickle|dill)\.loads?\b/g).filter(({ args }) =>
    /\b(?:request|requests|response|resp|sock|socket|conn|connection)\b|\.recv\(|\burlopen\b/.test(args[0] ?? ''),
  )
  const yaml = callsOf(code, /(?<![\w.])yaml\.load\b/g).filter(
    ({ args }) => args.length === 1 || !args.slice(1).some(argument => /Loader/.test(argument)),
  )
  const evaluated = callsOf(code, /(?<![\w.]|\bdef\s)(?:eval|exec)\b/g).filter(
    ({ args }) => args[0] !== undefined && !isLiteral(args[0]),
  )
  return [
    ...[...shell, ...system].map(
      hit(
        'dangerous-shell',
        'error',
        'A shell command is put together from variables; pass a list of arguments without a shell.',
      ),
    ),
    ...pickled.map(
      hit('dangerous-pickle', 'error', 'What comes over the network is unpickled, which runs whatever it says.'),
    ),
    ...yaml
      .filter(({ args }) => args.length > 0)
      .map(hit('dangerous-yaml', 'error', 'yaml.load without a Loader can make any object; use yaml.safe_load.')),
    ...evaluated.map(
      hit('dangerous-eval', 'error', 'Text that is not fixed is run as code; whoever can change the text runs code.'),
    ),
    ...matches(code, /\bssl\._create_unverified_context\b|\brequests\.\w+\([^()]*\bverify\s*=\s*False\b/g).map(
      hit('tls-not-checked', 'error', 'The certificates of TLS connections are not checked.'),
    ),
  ]
}

const matches = (code: string, pattern: RegExp): { index: number }[] =>
  [...code.matchAll(pattern)].map(({ index }) => ({ index }))

const hit =
  (rule: string, severity: Severity, message: string) =>
  ({ index }: { readonly index: number }): Hit => ({ index, rule, severity, message })

const quoted = (text: string): string => text.replace(/[.$]/g, '\\$&')
