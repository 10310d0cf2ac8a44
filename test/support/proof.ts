/**
 * What the long tests have shown, as figures: each tells what it counted, and `npm run verify` makes `docs/proof.md` of
 * it. Without a file to write to, the figures are printed.
 */
import { appendFileSync } from 'node:fs'

export type Figures = Readonly<Record<string, number | string>>

/** @param what a sentence of what was counted; it names the row */
export function prove(what: string, figures: Figures): void {
  const file = process.env.HOLDFAST_PROOF
  if (file) appendFileSync(file, `${JSON.stringify({ what, figures })}\n`)
  process.stdout.write(`${what}: ${spelled(figures)}\n`)
}

export const spelled = (figures: Figures): string =>
  Object.entries(figures)
    .map(([name, value]) => `${value} ${name}`)
    .join(', ')
