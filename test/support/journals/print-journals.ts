/**
 * Prints a hash of the journals of each seed of our simulated workflows, a line a seed, and nothing else. What the
 * engine itself words is made alike before: the same seed gives the same lines on every version of Node.
 * Arguments: how many seeds of each workflow; then, with `--full`, the journals themselves.
 */
import { createHash } from 'node:crypto'
import { simulatedWorkflows } from '../simulated-workflows.ts'
import { withoutEngineWords } from './engine-words.ts'

const seeds = Number(process.argv[2] ?? 10)
const isFull = process.argv.includes('--full')

for (const { name, run } of simulatedWorkflows) {
  for (let seed = 1; seed <= seeds; seed++) {
    const { journal, report, ok } = await run({ seeds: [seed], replays: 0 })
    if (!ok) throw new Error(report)
    const text = withoutEngineWords(journal)
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
    process.stdout.write(isFull ? `${text}\n` : `${name} ${seed} ${hash}\n`)
  }
}
