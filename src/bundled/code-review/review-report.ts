/** The report of a code review, in Markdown: the same findings make the same text. */
import { z } from 'zod'
import type { Finding } from '../checkup/findings.ts'

export const predictionSchema = z.object({
  file: z.string(),
  risk: z.enum(['high', 'medium', 'low']),
  reason: z.string(),
})
export type Prediction = z.infer<typeof predictionSchema>

export interface ReviewFacts {
  readonly findings: readonly Finding[]
  readonly predictions: readonly Prediction[]
  readonly summary: string
  readonly files: number
  readonly chunks: readonly unknown[]
  readonly lost: number
  readonly omitted: number
  readonly unreadable: readonly string[]
}

export function reviewReport({
  findings,
  predictions,
  summary,
  files,
  chunks,
  lost,
  omitted,
  unreadable,
}: ReviewFacts): string {
  const gaps = [
    ...(lost > 0 ? [`${lost} pieces could not be reviewed.`] : []),
    ...(unreadable.length > 0 ? [`${unreadable.length} files could not be read.`] : []),
    ...(omitted > 0 ? [`${omitted} pieces were left out.`] : []),
  ]
  return [
    '# Code review',
    '',
    `${files} files in ${chunks.length} pieces, ${findings.length} findings. ${gaps.join(' ')}`.trim(),
    '',
    summary,
    '',
    '## Findings',
    '',
    ...(findings.length === 0 ? ['None.'] : findings.map(lineOf)),
    '',
    '## Where bugs are likely',
    '',
    ...(predictions.length === 0
      ? ['Nowhere in particular.']
      : predictions.map(({ file, risk, reason }) => `- \`${file}\` (${risk}): ${reason}`)),
    '',
  ].join('\n')
}

const lineOf = ({ file, line, severity, message }: Finding): string => `- ${severity} \`${file}:${line}\`: ${message}`
