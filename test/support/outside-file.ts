/**
 * What is outside of a run, in a file that outlives its process: the time, what was really done, and which prompts were
 * answered. A line each, written at once: a process that kills itself has told all of it before.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { Moment } from './crash-scenarios.ts'

export interface OutsideFile {
  time(now: number): void
  done(what: string): void
  answered(prompt: string): void
}

export function outsideFile(file: string): OutsideFile {
  const tell = (kind: 'time' | 'done' | 'answered', what: number | string): void =>
    appendFileSync(file, `${JSON.stringify([kind, what])}\n`)
  return {
    time: now => tell('time', now),
    done: what => tell('done', what),
    answered: prompt => tell('answered', prompt),
  }
}

/** What the file tells; undefined where nothing was told yet. */
export function momentIn(file: string): Moment | undefined {
  if (!existsSync(file)) return undefined
  let now = 0
  const counts = { done: new Map<string, number>(), answered: new Map<string, number>() }
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const [kind, what] = JSON.parse(line) as ['time', number] | ['done' | 'answered', string]
    if (kind === 'time') now = what
    else counts[kind].set(what, (counts[kind].get(what) ?? 0) + 1)
  }
  return { now, ...counts }
}
