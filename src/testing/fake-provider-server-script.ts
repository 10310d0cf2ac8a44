/**
 * What a fake provider server does, call by call: the entries of its script, and which one is next. Entries are those of
 * `scriptedProvider`, and faults that only a real connection has.
 */
import type { Duration } from '../time/duration.ts'
import type { ScriptedAnswer, ScriptedFailure } from './scripted-provider.ts'

/** What breaks on the wire rather than in the answer. */
export interface ServerFault {
  /**
   * `reset`: the connection is destroyed · `half-body`: and destroyed in the middle of the answer · `stall`: nothing
   * more comes, and the connection stays · `no-end`: the answer ends cleanly, but too soon · `stream-error`: an error
   * frame in the middle of a stream · `garbage`: what is answered is no HTTP.
   */
  readonly fault: 'reset' | 'half-body' | 'stall' | 'no-end' | 'stream-error' | 'garbage'
  /** What would have been answered. @default 'ok' */
  readonly text?: string | undefined
  /** In a stream: how many events come before it. @default for `reset` and `stall` none, else half of them */
  readonly afterEvents?: number | undefined
  /** The error frame's JSON. @default the dialect's own for an overload */
  readonly body?: unknown
  readonly delay?: Duration | undefined
}

/** Any of them may be meant for several calls: an outage is a failure `times` 20. */
interface Repeated {
  /** @default 1 */
  readonly times?: number | undefined
}

export type ServerReply = ScriptedAnswer | ScriptedFailure | ServerFault
export type ServerReplyFunction = (call: ServerCall, number: number) => ServerReply | Promise<ServerReply>
export type ServerScriptEntry =
  | string
  | (Exclude<ScriptedAnswer, string> & Repeated)
  | (ScriptedFailure & Repeated)
  | (ServerFault & Repeated)
  | ServerReplyFunction

/** One request that the server was asked. */
export interface ServerCall {
  readonly api: 'openai' | 'anthropic'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readonly<Record<string, unknown>>
  readonly stream: boolean
}

export const isFault = (reply: ServerReply): reply is ServerFault =>
  typeof reply === 'object' && reply !== null && 'fault' in reply

export const isScriptedFailure = (reply: ServerReply): reply is ScriptedFailure =>
  reply instanceof Error || (typeof reply === 'object' && reply !== null && ('status' in reply || 'network' in reply))

const isAnswer = (entry: ServerScriptEntry): boolean =>
  typeof entry === 'function' || (!isFault(entry) && !isScriptedFailure(entry))

/** Hands out entries in order, each as often as it says; after the last, its last answer or function goes on. */
export function scriptProgress(script: readonly ServerScriptEntry[]): () => ServerScriptEntry {
  const last = script.findLast(isAnswer) ?? 'ok'
  let place = 0
  let used = 0
  return () => {
    for (let entry = script[place]; entry !== undefined; entry = script[place]) {
      const times = typeof entry === 'object' && 'times' in entry ? (entry.times ?? 1) : 1
      if (used++ < times) return entry
      place++
      used = 0
    }
    return last
  }
}
