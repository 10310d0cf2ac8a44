import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** Fast by their subject, slow by the processes that they start. */
const processes = ['test/unit/bundled/checkup/{checkup,run-test-file,type-check}.test.ts']

/** A property may take as long as it has runs: a fifth of a second each, at 1,000 of them beside other work. */
const fastTimeoutMs = 20_000 + Number(process.env.HOLDFAST_PROPERTY_RUNS ?? 0) * 200

/** They stand in for a module or weigh the heap, so that they share a process with no other. */
const alone = ['test/unit/cli/spending-notice.test.ts', 'test/unit/resilience/circuit-bytes.test.ts']

// `fast` is what runs while one works; `slow` starts processes, kills them, and type-checks generated programs; `alone`
// is as fast, and isolated also where the others are not.
export default defineConfig({
  test: {
    // The slow ones mostly wait for processes of theirs, so that one worker would leave a machine of two cores idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/{architecture,unit,property,model,integration,conformance}/**/*.test.ts'],
          exclude: [...processes, ...alone],
          testTimeout: fastTimeoutMs,
        },
      },
      { test: { name: 'alone', include: alone, testTimeout: 20_000 } },
      {
        test: {
          name: 'slow',
          include: ['test/{crash,e2e,types}/**/*.test.ts', ...processes],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
