/** Defects of what is written, when, and what is made of it after a crash. */
import { change, type Mutant, mutant } from './mutant.ts'

const steps = 'src/runtime/stage/steps.ts'
const calls = 'src/runtime/calls/model-calls.ts'
const recordedCall = 'src/runtime/calls/recorded-call.ts'
const runEnd = 'src/runtime/run/run-end.ts'
const liveStage = 'src/runtime/stage/live-stage.ts'
const stageEnd = 'src/runtime/stage/stage-end.ts'
const waits = 'src/runtime/run/run-waits.ts'
const tools = 'src/runtime/stage/stage-tools.ts'
const recall = 'src/runtime/run/recall.ts'
const remember = 'src/runtime/run/remember.ts'
const pending = 'src/runtime/commits/pending-write.ts'
const children = 'src/runtime/run/child-runs.ts'

export const durabilityMutants: readonly Mutant[] = [
  mutant(
    'the value of a step is told before it is durable',
    change(
      steps,
      `    run.journal('step.succeeded', { key }, stage.where(attempt))
  })
  await attempt.durable()`,
      `    run.journal('step.succeeded', { key }, stage.where(attempt))
  })`,
    ),
  ),
  mutant(
    'a step begins before its intention is durable',
    change(
      steps,
      `    run.journal('step.intended', { key }, stage.where(attempt))
  })
  await attempt.durable()`,
      `    run.journal('step.intended', { key }, stage.where(attempt))
  })`,
    ),
  ),
  mutant(
    'the entry of a step is written after its effect',
    change(steps, "    record('intended', JSON.stringify(doubtsOf(run.ledger(stage.name, key))))\n", ''),
  ),
  mutant(
    'a model call goes out before its intention is durable',
    change(
      recordedCall,
      `      this.#teller.journal('call.intended', { task: this.#request.task })
    })
    await this.#attempt.durable()`,
      `      this.#teller.journal('call.intended', { task: this.#request.task })
    })`,
    ),
  ),
  mutant(
    'the function of a stage starts before its attempt is durable',
    change(
      liveStage,
      `    run.afterCommit(() => {
      run.services.attempts.acquire(`,
      `    run.services.ready.push(() => {
      run.services.attempts.acquire(`,
    ),
  ),
  mutant(
    'a recorded step is executed again by a later execution',
    change(
      steps,
      "  if (known?.state === 'succeeded') return",
      "  if (known?.state === 'succeeded' && attempt.incarnation === 1) return",
    ),
  ),
  mutant(
    'a recorded model call is made again by a later attempt',
    change(
      calls,
      "  if (known?.state === 'succeeded') {\n    run.dispatch(",
      "  if (known?.state === 'succeeded' && attempt.number === 1) {\n    run.dispatch(",
    ),
  ),
  mutant(
    'the results of stages are not in the commit',
    change(stageEnd, 'resultData ?? wrapResult(undefined), where)', 'wrapResult(undefined), where)'),
  ),
  mutant(
    'a commit leaves out a lone row of the journal',
    change(pending, 'journal: journal.length > 0 ?', 'journal: journal.length > 1 ?'),
  ),
  mutant(
    'a commit leaves out a lone entry of the ledger',
    change(
      pending,
      'this.#ledger && [...this.#ledger.values()]',
      'this.#ledger && [...this.#ledger.values()].slice(this.#ledger.size > 1 ? 0 : 1)',
    ),
  ),
  mutant(
    'a commit leaves out the timers',
    change(pending, 'timers && [...timers.values()].filter(timer => timer !== null)', 'timers && []'),
  ),
  mutant(
    'a runtime goes on after a commit that failed',
    change(
      'src/runtime/commits/commit-pipeline.ts',
      `      failure = error ?? new Error('the store failed without saying why')
      writing = false
      settleWaiting()
      options.onFailure(failure)
      return`,
      `      writing = false
      settleWaiting()
      return void error`,
    ),
  ),
  mutant(
    'a signal is acknowledged before it is durable',
    change('src/runtime/run-handle.ts', '    work(run)\n    await run.durable()', '    work(run)'),
  ),
  mutant(
    'a signal that was taken is not consumed in the store',
    change(waits, '    this.#run.pending.consumeSignal(signal.ordinal)\n    return signal', '    return signal'),
  ),
  mutant(
    'the newest signal is taken before the oldest',
    change(
      waits,
      'inbox.findIndex(signal => signal.name === name)',
      'inbox.findLastIndex(signal => signal.name === name)',
    ),
    ['test/integration/runtime/durability.test.ts', 'test/integration/runtime/stages.test.ts'],
  ),
  mutant(
    'the end of a run is told before it is durable',
    change(runEnd, 'if (this.result && this.#isDurable) return', 'if (this.result) return'),
  ),
  mutant(
    'what was recorded in memory alone is told to a function that starts again',
    change(
      'src/runtime/stage/attempt.ts',
      'if (!this.stage.run.isWritten) await this.durable()',
      'if (this.stage.run.detached) await this.durable()',
    ),
  ),
  mutant(
    'a sleep begins anew with its full time after a crash',
    change(
      tools,
      `  const known = run.ledger(stage.name, key)
  if (known?.state === 'succeeded') return attempt.recorded()`,
      `  const entry = run.ledger(stage.name, key)
  const known = entry?.state === 'intended' ? undefined : entry
  if (known?.state === 'succeeded') return attempt.recorded()`,
    ),
  ),
  mutant('a timer of a machine of one’s own begins anew with its full time after a crash', [
    change(
      'src/runtime/actors/scheduled-events.ts',
      'Math.max(0, dueAt - services.clock.now()),\n        purpose.id,',
      'dueAt > services.clock.now() ? 7_200_000 : 0,\n        purpose.id,',
    ),
    change('src/runtime/actors/scheduled-events.ts', '      if (entry) this.#known.set(entry, key)\n', ''),
  ]),
  mutant(
    'timers of the store are not armed after a crash',
    change('src/runtime/run/run-timers.ts', "if (kind !== 'scheduled' && (which", "if (kind === 'deadline' && (which"),
  ),
  mutant('a child run is started a second time by a later execution', [
    change(children, '  const id = known\n    ?', '  const id = known && attempt.incarnation === 1\n    ?'),
    change(children, '  if (!known) {', '  if (!known || attempt.incarnation > 1) {'),
  ]),
  mutant(
    'the counters of a run begin at nothing after a crash',
    change(recall, "  Object.assign(memory.counters, read('counters', stored.run.counters, false))\n", ''),
  ),
  mutant(
    'results of a map are in the order of their ends',
    change(
      remember,
      '    item.map.results[item.index] = text\n    return',
      '    item.map.results[item.map.results.indexOf(undefined)] = text\n    return',
    ),
  ),
  mutant(
    'a snapshot that cannot be restored is taken for good',
    change(
      'src/runtime/run/ladder.ts',
      '  if (fault === undefined) {\n    if (run.root)',
      '  if (!needsRebuild) {\n    if (run.root)',
    ),
    ['test/integration/runtime/ladder.test.ts'],
  ),
  mutant(
    'a process that kills runs is not counted',
    change(
      'src/runtime/run/starting.ts',
      "if (!counters.stoppedCleanly && run.status === 'running') counters.crashes++",
      "if (!counters.stoppedCleanly && run.status === 'paused') counters.crashes++",
    ),
    ['test/integration/runtime/deaths.test.ts'],
  ),
  mutant('a quarantined run loses its evidence', change(runEnd, "  if (status === 'quarantined') return true\n", ''), [
    'test/integration/operations/stages-and-quarantine.test.ts',
  ]),
  mutant(
    'a commit with an old epoch is taken by the memory store',
    change('src/store/memory-store.ts', 'if (!owner || claimed !== owner.epoch) throw', 'if (!owner) throw'),
  ),
  mutant(
    'a commit with an old epoch is taken by the SQLite store',
    change('src/store/sqlite-writes.ts', 'if (current !== epoch) throw', 'if (current < epoch) throw'),
    ['test/unit/store/sqlite-store.test.ts', 'test/conformance/store-conformance.test.ts'],
  ),
  mutant(
    'a store that has a live owner is given to another',
    change('src/store/memory-store.ts', '      if (owner) throw ownedElsewhere(location, owner)\n', ''),
  ),
  mutant(
    'SQLite does not wait for the disk',
    change('src/store/sqlite-connection.ts', "['synchronous', 2]", "['synchronous', 1]"),
    ['test/unit/store/sqlite-store.test.ts'],
  ),
]
