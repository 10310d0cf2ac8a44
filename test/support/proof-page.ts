/** The page that says what the last `npm run verify` has shown, from the figures that its tests printed. */
import { type Figures, spelled } from './proof.ts'

export interface Proof {
  readonly commit: string
  readonly node: string
  readonly cores: number
  readonly minutes: number
  /** The environment variables that say how much was tried, and with which seed. */
  readonly chosen: Readonly<Record<string, string>>
  /** How long each step took. */
  readonly took: readonly { readonly command: string; readonly minutes: number }[]
  readonly rows: readonly { readonly what: string; readonly figures: Figures }[]
}

export function proofPage({ commit, node, cores, minutes, chosen, took, rows }: Proof): string {
  const sorted = [...rows].sort((a, b) => (a.what < b.what ? -1 : 1))
  return `# Proof

What \`npm run verify\` counted when it was last run; the command writes this page, and fails before it does where
anything diverges. [semantics.md](semantics.md) says which guarantee each test holds.

- commit: ${commit}
- Node ${node.slice(1)}, ${cores} cores, ${minutes.toFixed(0)} minutes
- ${Object.entries(chosen)
    .map(([name, value]) => `\`${name}=${value}\``)
    .join(', ')}

${sorted.map(({ what, figures }) => `- ${what}: ${spelled(figures)}`).join('\n')}

${took.map(step => `- \`${step.command}\`: ${step.minutes.toFixed(1)} minutes`).join('\n')}

A property that fails prints its seed; the seeds of those that held are drawn anew each time.
`
}
