/** What the owner of a store file and the thread that writes for it say to each other. */
import type { EncodedError } from '../errors.ts'
import type { PackedWrites } from './packed-writes.ts'
import type { CommandReply, PurgeFilter } from './store.ts'

/** What the thread is started with. */
export interface ThreadData {
  /** The real file. */
  readonly path: string
  /** What errors call it. */
  readonly location: string
}

/** What can be asked of it, with what it answers. */
export interface ThreadOperations {
  commit: { readonly asked: { readonly epoch: number; readonly writes: PackedWrites }; readonly answer: undefined }
  purge: {
    readonly asked: { readonly epoch: number; readonly filter: PurgeFilter }
    readonly answer: readonly string[]
  }
  purgeCommands: { readonly asked: { readonly epoch: number; readonly before: number }; readonly answer: number }
  reply: {
    readonly asked: { readonly epoch: number; readonly commandId: string; readonly reply: CommandReply }
    readonly answer: undefined
  }
  /** The settings that its durability rests on, as read back from its connection. */
  settings: { readonly asked: undefined; readonly answer: Readonly<Record<string, string | number>> }
  /** Closes its connection and ends it. */
  close: { readonly asked: undefined; readonly answer: undefined }
}

export type OperationName = keyof ThreadOperations

export type Asked = {
  [TName in OperationName]: {
    readonly id: number
    readonly name: TName
    readonly asked: ThreadOperations[TName]['asked']
  }
}[OperationName]

/** Answers come in the order of asking; the first, of id 0, says that the thread has opened the file. */
export interface Answered {
  readonly id: number
  readonly answer?: unknown
  readonly error?: EncodedError | undefined
}
