import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createTerminal } from '../../../src/cli/terminal.ts'

function stream(isTTY: boolean) {
  const written: string[] = []
  const fake = Object.assign(new EventEmitter(), {
    isTTY,
    columns: 80,
    rows: 24,
    write: (text: string) => written.push(text) > 0,
  })
  return { fake: fake as unknown as NodeJS.WriteStream, written }
}

function terminalOf(isTTY: boolean, wantsColour = true) {
  const stdout = stream(isTTY)
  const stderr = stream(isTTY)
  return { terminal: createTerminal({ stdout: stdout.fake, stderr: stderr.fake }, wantsColour), stdout, stderr }
}

describe('the terminal', () => {
  it('redraws pinned lines in place, below what is said', () => {
    const { terminal, stderr } = terminalOf(true)
    terminal.pin(['one', 'two'])
    terminal.say('news')
    terminal.pin([])
    expect(stderr.written).toEqual(['one\ntwo\n', '\r\u001b[2A\u001b[0Jnews\none\ntwo\n', '\r\u001b[2A\u001b[0J'])
  })

  it('erases what a terminal that was made narrower has wrapped', () => {
    const { terminal, stderr } = terminalOf(true)
    terminal.pin([terminal.paint('red', 'x'.repeat(70)), 'short'])
    stderr.fake.columns = 40
    terminal.pin([])
    expect(stderr.written.at(-1)).toBe('\r\u001b[3A\u001b[0J')
  })

  it('pins nothing and paints nothing where stderr is no terminal', () => {
    const { terminal, stderr } = terminalOf(false)
    terminal.pin(['one'])
    terminal.say(terminal.paint('red', 'news'))
    expect(stderr.written).toEqual(['news\n'])
  })

  it('paints nothing when colours are not wanted', () => {
    expect(terminalOf(true, false).terminal.paint('red', 'x')).toBe('x')
    expect(terminalOf(true).terminal.paint('red', 'x')).toBe('\u001b[31mx\u001b[39m')
  })

  it('takes a terminal that says it has no columns for one of 80', () => {
    const { terminal, stderr } = terminalOf(true)
    stderr.fake.columns = 0
    stderr.fake.rows = 0
    expect([terminal.columns, terminal.rows]).toEqual([80, 24])
  })

  it('survives a reader that went away', () => {
    const { stdout, stderr } = terminalOf(false)
    expect(() => stdout.fake.emit('error', new Error('EPIPE'))).not.toThrow()
    expect(() => stderr.fake.emit('error', new Error('EPIPE'))).not.toThrow()
  })
})
