/** What a command file gives: how it is called, and what it does with what it was called with. */
import type { ExitCode } from '../exit-codes.ts'
import type { Session } from '../session.ts'

/** `args` are the arguments as given; `flags` the flags of the command and the global ones. */
export type Work<TFlags> = (session: Session, args: readonly string[], flags: TFlags) => Promise<ExitCode>

/** Turns the work of a command into what commander calls. */
export type Does = <TFlags>(work: Work<TFlags>) => (...given: unknown[]) => Promise<void>
