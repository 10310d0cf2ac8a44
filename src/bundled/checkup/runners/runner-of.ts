/** Which runner goes by which name. */
import { goTest, pytest } from './other-runners.ts'
import type { Runner, RunnerName } from './runner.ts'
import { ava, jest, mocha, nodeTest, tap, vitest } from './script-runners.ts'

const runners: Readonly<Record<RunnerName, Runner>> = {
  vitest,
  jest,
  mocha,
  ava,
  tap,
  node: nodeTest,
  pytest,
  go: goTest,
}

export const runnerOf = (name: RunnerName): Runner => runners[name]
