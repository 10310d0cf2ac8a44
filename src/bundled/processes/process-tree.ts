/** What a process has started, and what that has started: also what has left its process group, as browsers do. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const answerMs = 2000

/** The ids of all living descendants; none where the platform cannot say. Blocks for some milliseconds. */
export function descendantsOf(pid: number): number[] {
  const childrenOf = new Map<number, number[]>()
  for (const [child, parent] of process.platform === 'linux' ? parentsInProc() : parentsByPs()) {
    childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), child])
  }
  const found: number[] = []
  const pending = [pid]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const children = childrenOf.get(next) ?? []
    found.push(...children)
    pending.push(...children)
  }
  return found
}

type ChildAndParent = readonly [child: number, parent: number]

function parentsInProc(): ChildAndParent[] {
  return idsInProc().flatMap((id): ChildAndParent[] => {
    try {
      // `12 (a (name)) S 1 …`: the parent is the second field after the name, which may contain anything.
      const parent = /\) \S (\d+) [^)]*$/.exec(readFileSync(`/proc/${id}/stat`, 'utf8'))?.[1]
      return parent === undefined ? [] : [[Number(id), Number(parent)]]
    } catch {
      return [] // It ended meanwhile.
    }
  })
}

/** Where it is not mounted, as in some containers, nobody is known. */
function idsInProc(): string[] {
  try {
    return readdirSync('/proc').filter(name => /^\d+$/.test(name))
  } catch {
    return []
  }
}

function parentsByPs(): ChildAndParent[] {
  if (process.platform === 'win32') return []
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8', timeout: answerMs })
  return (stdout ?? '').split('\n').flatMap((line): ChildAndParent[] => {
    const [child, parent] = line.trim().split(/\s+/).map(Number)
    return child && parent !== undefined ? [[child, parent]] : []
  })
}
