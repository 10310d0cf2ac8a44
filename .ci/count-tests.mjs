// Prints `<N> passed, <M> failed` from a JSON report of Vitest. A test file that could not be loaded counts as failed.
import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const unloaded = report.testResults.filter(
  file => file.status === 'failed' && file.assertionResults.length === 0,
).length
const failed = report.numFailedTests + unloaded
console.log(`${report.numPassedTests} passed, ${failed} failed`)
process.exitCode = report.numPassedTests > 0 ? 0 : 1
