#!/usr/bin/env node
/** The entry of the command line. */
import { readEnvironment } from '../config/environment.ts'
import { runProgram } from './program.ts'
import { createTerminal } from './terminal.ts'
import { divertConsole } from './user-console.ts'

const args = process.argv.slice(2)
const terminal = createTerminal(process, !args.includes('--no-color') && !readEnvironment().noColor)
divertConsole(terminal)
process.exitCode = await runProgram(args, terminal)
await terminal.flushed()
// Not left to the event loop: what the code of a workflow left open must not keep the process.
process.exit()
