/**
 * What the code of a workflow prints with `console` goes to stderr: stdout is for the data of the command alone. On a
 * terminal it appears above the tree of the stages.
 */
import { Console } from 'node:console'
import { Writable } from 'node:stream'
import type { Terminal } from './terminal.ts'

export function divertConsole(terminal: Terminal): void {
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      terminal.say(String(chunk).replace(/\n$/, ''))
      done()
    },
  })
  globalThis.console = new Console({ stdout: stream, stderr: stream })
}
