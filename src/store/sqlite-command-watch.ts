/**
 * Notices commands that other processes leave in the store file. SQLite cannot call across processes, so the file's
 * version is looked at ten times a second, which costs microseconds; the timer never keeps a process alive.
 */

export interface CommandWatch {
  /** Returns how to stop listening. */
  add(listener: () => void): () => void
  notify(): void
  /** Forgets all listeners. */
  stop(): void
}

const pollMs = 100

/** @param version changes whenever another connection has committed, or when the connection is another one */
export function watchCommands(version: () => string): CommandWatch {
  const listeners = new Set<() => void>()
  let timer: NodeJS.Timeout | undefined
  let seen = ''

  const notify = (): void => {
    for (const listener of [...listeners]) listener()
  }
  const look = (): void => {
    const current = readable(version)
    if (current === seen) return
    seen = current
    notify()
  }
  const stopWhenUnheard = (): void => {
    if (listeners.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  return {
    notify,
    add(listener) {
      const own = (): void => listener()
      listeners.add(own)
      if (!timer) {
        seen = readable(version)
        timer = setInterval(look, pollMs).unref()
      }
      return () => {
        listeners.delete(own)
        stopWhenUnheard()
      }
    },
    stop() {
      listeners.clear()
      stopWhenUnheard()
    },
  }
}

/** A file that cannot be read has a version too: whoever listens then reads the commands, and is told why not. */
function readable(version: () => string): string {
  try {
    return version()
  } catch (error) {
    return String(error)
  }
}
