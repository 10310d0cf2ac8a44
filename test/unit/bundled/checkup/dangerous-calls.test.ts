// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are source code

import { describe, expect, test } from 'vitest'
import { dangerousCalls } from '../../../../src/bundled/checkup/scan/dangerous-calls.ts'

const rulesOf = (file: string, source: string): string[] => dangerousCalls(file, source).map(({ rule }) => rule)
const shell = "import { exec } from 'node:child_process'\n"

describe('dangerous calls', () => {
  test.each([
    ['eval of a variable', 'const f = eval(source)', ['dangerous-eval']],
    ['eval of a template with an insertion', 'eval(`f(${x})`)', ['dangerous-eval']],
    ['new Function of a variable', "const f = new Function('a', body)", ['dangerous-function']],
    ['a shell command from a template', `${shell}exec(\`rm -rf \${directory}\`)`, ['dangerous-shell']],
    ['a shell command from a sum', `${shell}exec('git log ' + file, done)`, ['dangerous-shell']],
    [
      'a shell command by another name',
      "const { execSync: run } = require('child_process')\nrun(`ls ${d}`)",
      ['dangerous-shell'],
    ],
    [
      'a shell command of the whole module',
      "import * as cp from 'child_process'\ncp.exec(`ls ${d}`)",
      ['dangerous-shell'],
    ],
    [
      'a promised shell command',
      `import { promisify } from 'util'\n${shell}const sh = promisify(exec)\nawait sh(\`ls \${d}\`)`,
      ['dangerous-shell'],
    ],
    ['certificates that are not checked', 'https.request({ rejectUnauthorized: false })', ['tls-not-checked']],
    ['certificates switched off for all', "process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'", ['tls-not-checked']],
    ['a server without a host check', 'export default { devServer: { disableHostCheck: true } }', ['host-not-checked']],
    ['a certificate for any name', 'tls.connect({ checkServerIdentity: () => undefined })', ['host-not-checked']],
    ['markup from a variable', 'element.innerHTML = comment.text', ['dangerous-markup']],
    ['markup in JSX', '<p dangerouslySetInnerHTML={{ __html: comment }} />', ['dangerous-markup']],
  ])('finds %s', (_, source, rules) => {
    expect(rulesOf('src/a.tsx', source)).toEqual(rules)
  })

  test.each([
    ['a comment', '// eval(x) and new Function(y) and rejectUnauthorized: false'],
    ['a block comment', '/*\n * eval(x)\n */'],
    ['a string', 'const s = "eval(x)"; const t = `exec(1) rejectUnauthorized: false`'],
    ['a regular expression', 'const r = /eval(x)/; const q = [/innerHTML = y/]'],
    ['eval of a literal', "eval('1 + 1')"],
    ['a method that is called eval', 'redis.eval(script, 1)\nclass A { eval(x) { return x } }'],
    ['a function that is called eval', 'function eval(x) { return x }'],
    ['exec of a regular expression', 'const m = pattern.exec(`a ${b}`)'],
    ['exec that is somebody else’s', 'import { exec } from "./database.ts"\nexec(`select ${x}`)'],
    ['a shell command that is fixed', `${shell}exec('git status')\nexec(\`git status\`)`],
    ['execFile with arguments', "import { execFile } from 'child_process'\nexecFile('git', [`--x=${y}`])"],
    ['certificates that are checked', 'request({ rejectUnauthorized: true })'],
    ['markup that is fixed', "element.innerHTML = ''\nelement.innerHTML = `<b>x</b>`"],
    ['markup that is cleaned', 'element.innerHTML = DOMPurify.sanitize(text)'],
    ['a comparison of markup', 'if (a.innerHTML === text) b()'],
    ['new Function of literals', "new Function('a', 'return a')"],
  ])('does not find %s', (_, source) => {
    expect(rulesOf('src/a.ts', source)).toEqual([])
  })

  test.each([
    ['a shell with an f-string', 'subprocess.run(f"ls {d}", shell=True)', ['dangerous-shell']],
    ['os.system with a sum', 'os.system("ls " + d)', ['dangerous-shell']],
    ['pickle from the network', 'pickle.loads(request.data)', ['dangerous-pickle']],
    ['yaml without a loader', 'yaml.load(text)', ['dangerous-yaml']],
    ['eval of a variable', 'eval(expression)', ['dangerous-eval']],
    ['requests without a check', 'requests.get(url, verify=False)', ['tls-not-checked']],
    ['nothing in a comment', '# eval(x)\n"""\nyaml.load(x)\n"""', []],
    ['nothing in a model in evaluation mode', 'model.eval()\nast.literal_eval(x)\ndf.eval(y)', []],
    ['nothing in yaml with a loader', 'yaml.load(text, Loader=yaml.SafeLoader)\nyaml.safe_load(x)', []],
    ['nothing in a fixed command', 'subprocess.run("ls", shell=True)\nsubprocess.run(["ls", d])', []],
    ['nothing in a cache', 'pickle.loads(path.read_bytes())', []],
  ])('finds in Python: %s', (_, source, rules) => {
    expect(rulesOf('a.py', source)).toEqual(rules)
  })

  test('says the line', () => {
    expect(dangerousCalls('a.js', '// eval(x)\n\n  eval(x)\n')).toMatchObject([
      { file: 'a.js', line: 3, severity: 'error' },
    ])
  })

  test('does not read languages that it does not know', () => {
    expect(rulesOf('README.md', 'eval(x)')).toEqual([])
  })
})
