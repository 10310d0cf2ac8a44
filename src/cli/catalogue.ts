/**
 * The commands that there are, as `holdfast --help` lists them. The code of a command is loaded when it is asked for:
 * what most commands need, the whole runtime, takes longer to load than help takes to read.
 */
import type { Command } from 'commander'
import type { Does } from './commands/command.ts'

/** Declares a command, and says what it does. */
export type AddCommand = (program: Command, does: Does) => void

export interface CatalogueEntry {
  readonly name: string
  /** A few words, for the list. */
  readonly summary: string
  load(): Promise<AddCommand>
}

export interface CatalogueGroup {
  readonly title: string
  readonly entries: readonly CatalogueEntry[]
}

const entry = (name: string, summary: string, load: () => Promise<AddCommand>): CatalogueEntry => ({
  name,
  summary,
  load,
})

const aboutRun = () => import('./commands/about-run.ts')
const bundle = () => import('./commands/bundle.ts')
const backup = () => import('./commands/backup.ts')

export const catalogue: readonly CatalogueGroup[] = [
  {
    title: 'Run workflows:',
    entries: [
      entry('run', 'start a run and stay with it', async () => (await import('./commands/run.ts')).addRun),
      entry('resume', 'go on with a run', async () => (await import('./commands/resume.ts')).addResume),
      entry(
        'recover',
        'go on with all unfinished runs',
        async () => (await import('./commands/recover.ts')).addRecover,
      ),
      entry(
        'retry',
        'run an ended run again from what failed',
        async () => (await import('./commands/retry.ts')).addRetry,
      ),
      entry('fork', 'make a new run from a stage of another', async () => (await import('./commands/fork.ts')).addFork),
    ],
  },
  {
    title: 'Act on a run:',
    entries: [
      entry('cancel', 'stop it, and undo what can be undone', async () => (await aboutRun()).addCancel),
      entry('pause', 'hold it where it is', async () => (await aboutRun()).addPause),
      entry('signal', 'send it a signal', async () => (await aboutRun()).addSignal),
      entry('stage', 'skip, redo or complete one stage', async () => (await import('./commands/stage.ts')).addStage),
      entry(
        'quarantine',
        'look after runs that were set aside',
        async () => (await import('./commands/quarantine.ts')).addQuarantine,
      ),
    ],
  },
  {
    title: 'Look at runs:',
    entries: [
      entry('runs', 'list, show, events, tail', async () => (await import('./commands/runs.ts')).addRuns),
      entry(
        'explain',
        'what happened, why, and what to do',
        async () => (await import('./commands/explain.ts')).addExplain,
      ),
      entry(
        'diagnostics',
        'how a run stands, as facts',
        async () => (await import('./commands/diagnostics.ts')).addDiagnostics,
      ),
      entry('tree', 'the supervision tree', async () => (await import('./commands/tree.ts')).addTree),
      entry('cost', 'what runs have cost and saved', async () => (await import('./commands/cost.ts')).addCost),
    ],
  },
  {
    title: 'Plan and try:',
    entries: [
      entry(
        'simulate',
        'run a workflow in a world in which everything fails',
        async () => (await import('./commands/simulate.ts')).addSimulate,
      ),
      entry(
        'profiles',
        'what happens when a stage fails, by task',
        async () => (await import('./commands/profiles.ts')).addProfiles,
      ),
      entry(
        'models',
        'the models, their prices, and whether they fit',
        async () => (await import('./commands/models.ts')).addModels,
      ),
      entry('circuits', 'the circuits of providers', async () => (await import('./commands/circuits.ts')).addCircuits),
    ],
  },
  {
    title: 'Keep the store:',
    entries: [
      entry('bundle', 'write a run into one file without secrets', async () => (await bundle()).addBundle),
      entry('import', 'read such a file', async () => (await bundle()).addImport),
      entry('backup', 'copy the store', async () => (await backup()).addBackup),
      entry('restore', 'make a backup the store', async () => (await backup()).addRestore),
      entry('store', 'look for damage in the store', async () => (await backup()).addStore),
    ],
  },
]
