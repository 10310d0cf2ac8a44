/**
 * A program of the tests as plain JavaScript, with all that it imports: a process that is started a thousand times is
 * not to translate TypeScript each time. It lies below `node_modules`, so that it finds the packages.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from './import-graph.ts'

export interface CompiledProgram {
  /** The file to start. */
  readonly file: string
  remove(): void
}

/** @param source relative to the root of the project, without its extension */
export function compileProgram(source: string): CompiledProgram {
  const cache = join(projectRoot, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const directory = mkdtempSync(join(cache, 'holdfast-program-'))
  const config = join(directory, 'tsconfig.json')
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(projectRoot, 'tsconfig.json'),
      compilerOptions: {
        noEmit: false,
        rootDir: projectRoot,
        outDir: directory,
        typeRoots: [join(projectRoot, 'node_modules/@types')],
      },
      files: [join(projectRoot, `${source}.ts`)],
      include: [],
    }),
  )
  execFileSync(process.execPath, [join(projectRoot, 'node_modules/typescript/bin/tsc'), '-p', config], {
    stdio: 'pipe',
  })
  return {
    file: join(directory, `${source}.js`),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}
