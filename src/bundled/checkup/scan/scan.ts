/**
 * Looks through the text files of a repository for secrets and dangerous calls. Binary, minified, generated and very
 * large files are counted and left alone.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { type Finding, findingSchema, orderFindings } from '../findings.ts'
import { sizeOf } from '../repository-files.ts'
import { looksLikeTest } from '../test-files.ts'
import { dangerousCalls } from './dangerous-calls.ts'
import { secretsIn } from './secrets.ts'

export const scanSchema = z.object({
  scanned: z.number(),
  leftOut: z.number(),
  findings: z.array(findingSchema),
  /** Found, but more than are kept. */
  omitted: z.number(),
})
export type Scan = z.infer<typeof scanSchema>

const byteLimit = 1024 * 1024
const findingLimit = 500

export interface ScanOptions {
  readonly root: string
  readonly files: readonly string[]
  readonly signal: AbortSignal
  readonly onProgress?: ((fraction: number) => void) | undefined
}

export async function scanFiles({ root, files, signal, onProgress }: ScanOptions): Promise<Scan> {
  const findings: Finding[] = []
  let scanned = 0
  for (const [index, file] of files.entries()) {
    signal.throwIfAborted()
    if (index % 100 === 0) onProgress?.(index / files.length)
    if (index % 10 === 0) await setImmediate() // Lets the rest of the process have its turn.
    const source = await textOf(root, file)
    if (source === undefined) continue
    scanned++
    findings.push(...(await secretsIn(file, source)))
    if (!looksLikeTest(file)) findings.push(...dangerousCalls(file, source))
  }
  const ordered = orderFindings(findings)
  return {
    scanned,
    leftOut: files.length - scanned,
    findings: ordered.slice(0, findingLimit),
    omitted: Math.max(0, ordered.length - findingLimit),
  }
}

/** The text of a file that is worth scanning. */
async function textOf(root: string, file: string): Promise<string | undefined> {
  if (!isScannable(file)) return undefined
  const path = join(root, file)
  const size = await sizeOf(path)
  if (size === undefined || size === 0 || size > byteLimit) return undefined
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch {
    return undefined // Unreadable or just removed.
  }
  if (bytes.subarray(0, 8000).includes(0)) return undefined
  const source = bytes.toString('utf8')
  return isMinified(file, source) ? undefined : source
}

function isScannable(file: string): boolean {
  const name = file.slice(file.lastIndexOf('/') + 1)
  if (
    /^(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|composer\.lock|Cargo\.lock|Gemfile\.lock|poetry\.lock|uv\.lock|Pipfile\.lock|go\.sum|flake\.lock)$/.test(
      name,
    )
  ) {
    return false
  }
  return !/\.(?:min\.[cm]?js|min\.css|map|snap|svg|png|jpe?g|gif|webp|ico|pdf|zip|gz|tgz|woff2?|ttf|eot|mp[34]|wasm|so|dylib|dll|exe|class|jar|pyc|db|sqlite3?)$/i.test(
    name,
  )
}

/** Long lines on average, or one so long that nobody wrote it. */
function isMinified(file: string, source: string): boolean {
  if (!/\.(?:[cm]?[jt]sx?|css|html?)$/.test(file) || source.length < 5000) return false
  const lines = source.split('\n')
  return source.length / lines.length > 300 || lines.some(line => line.length > 20_000)
}
