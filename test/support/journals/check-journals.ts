/**
 * `npm run journals [seeds]`: the same seeds of our simulated workflows in two processes of this Node, and on Node 20, 22
 * and 24, whose binaries npm brings. Prints a hash of all journals; fails where one differs.
 */
import { prove } from '../proof.ts'
import { compareJournals } from './compare-journals.ts'
import { allVersions } from './node-versions.ts'

const others = allVersions()
const { lines, hash, differences } = compareJournals(Number(process.argv[2] ?? 20), others)
for (const difference of differences.slice(0, 20)) process.stdout.write(`${difference}\n`)
prove('journals of the same seeds, in two processes and on other versions of Node', {
  seeds: lines.length,
  versions: [process.versions.node, ...others.map(({ name }) => name)].join(' '),
  differences: differences.length,
  'as hash of all': hash,
})
process.exitCode = differences.length === 0 && lines.length > 0 ? 0 : 1
