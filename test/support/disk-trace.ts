/**
 * What a process did to its files, as `strace` recorded it, and what a disk may hold of it when the power fails: all
 * that was synced, and of what was not yet synced any part, in any order, torn at any sector.
 */
import { dirname } from 'node:path'

export type DiskEvent =
  | { readonly do: 'write'; readonly file: string; readonly offset: number; readonly data: Buffer }
  | { readonly do: 'truncate'; readonly file: string; readonly size: number }
  | { readonly do: 'sync'; readonly file: string }
  | { readonly do: 'delete'; readonly file: string }
  /** The process told somebody. */
  | { readonly do: 'tell'; readonly text: string }

const write = /^pwrite64\(\d+<(.*?)>, "((?:\\x[0-9a-f]{2})*)", (\d+), (\d+)\)\s*= (\d+)/
const tell = /^write\(1<.*?>, "((?:\\x[0-9a-f]{2})*)"/
const sync = /^f(?:data)?sync\(\d+<(.*?)>\)\s*= 0/
const truncate = /^ftruncate\(\d+<(.*?)>, (\d+)\)\s*= 0/
const unlink = /^unlink\("((?:\\x[0-9a-f]{2})*)"\)\s*= 0/

/** @param lines of one thread, from `strace -y -xx -s <enough>` */
export function diskEvents(lines: readonly string[]): DiskEvent[] {
  return lines.flatMap((line): DiskEvent[] => {
    let found = write.exec(line)
    if (found) {
      const [, file = '', hex = '', asked, offset, written] = found
      if (asked !== written) throw new Error(`a short write, which this does not know: ${line.slice(0, 80)}`)
      const data = bytesOf(hex)
      if (data.length !== Number(written)) throw new Error('the trace has cut the data of a write')
      return [{ do: 'write', file: nameOf(file), offset: Number(offset), data }]
    }
    found = tell.exec(line)
    if (found) return [{ do: 'tell', text: bytesOf(found[1] ?? '').toString() }]
    found = sync.exec(line)
    if (found) return [{ do: 'sync', file: nameOf(found[1] ?? '') }]
    found = truncate.exec(line)
    if (found) return [{ do: 'truncate', file: nameOf(found[1] ?? ''), size: Number(found[2]) }]
    found = unlink.exec(line)
    return found ? [{ do: 'delete', file: bytesOf(found[1] ?? '').toString() }] : []
  })
}

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll('\\x', ''), 'hex')
const nameOf = (path: string): string => (path.startsWith('\\x') ? bytesOf(path).toString() : path)

/** How much of what was not synced reaches the disk: nothing, all, or each piece by chance and perhaps torn. */
export type Luck = 'none' | 'all' | 'some' | 'torn'

const sectorBytes = 512

/** The files, by name, when the power failed after the first `count` events. */
export function afterPowerLoss(
  events: readonly DiskEvent[],
  count: number,
  luck: Luck,
  random: () => number,
): Map<string, Buffer> {
  const disk = new Map<string, Buffer>()
  let unsynced: Exclude<DiskEvent, { do: 'sync' | 'tell' }>[] = []
  for (const event of events.slice(0, count)) {
    if (event.do === 'tell') continue
    if (event.do !== 'sync') unsynced.push(event)
    else {
      // A directory that is synced keeps which files are in it.
      const isSynced = (pending: DiskEvent & { file: string }): boolean =>
        pending.do === 'delete' ? dirname(pending.file) === event.file : pending.file === event.file
      for (const pending of unsynced) if (isSynced(pending)) apply(disk, pending)
      unsynced = unsynced.filter(pending => !isSynced(pending))
    }
  }
  if (luck === 'all') for (const event of unsynced) apply(disk, event)
  if (luck !== 'some' && luck !== 'torn') return disk
  // The disk writes in an order of its own, as far as it comes.
  const order = unsynced.map(event => ({ event, place: random() })).sort((a, b) => a.place - b.place)
  for (const { event } of order) {
    if (random() < 0.5) continue
    if (event.do !== 'write' || luck === 'some') apply(disk, event)
    else {
      for (let from = 0; from < event.data.length; from += sectorBytes) {
        if (random() < 0.5) continue
        apply(disk, { ...event, offset: event.offset + from, data: event.data.subarray(from, from + sectorBytes) })
      }
    }
  }
  return disk
}

function apply(disk: Map<string, Buffer>, event: Exclude<DiskEvent, { do: 'sync' | 'tell' }>): void {
  const content = disk.get(event.file) ?? Buffer.alloc(0)
  if (event.do === 'delete') disk.delete(event.file)
  else if (event.do === 'truncate') {
    const cut = Buffer.alloc(event.size)
    content.copy(cut, 0, 0, event.size)
    disk.set(event.file, cut)
  } else {
    const grown = Buffer.alloc(Math.max(content.length, event.offset + event.data.length))
    content.copy(grown)
    event.data.copy(grown, event.offset)
    disk.set(event.file, grown)
  }
}
