/** Defects of what a stage, a run or a supervisor decides. */
import { change, type Mutant, mutant } from './mutant.ts'

const stage = 'machines/stage.machine.ts'
const workflow = 'machines/workflow.machine.ts'
const supervisor = 'machines/supervisor.machine.ts'
const liveStage = 'src/runtime/stage/live-stage.ts'
const boundStage = 'src/runtime/actors/bound-stage.ts'
const supervisorTests = ['test/unit/supervisor/restart.test.ts', 'test/property/supervisor/decisions.test.ts']

export const decisionMutants: readonly Mutant[] = [
  mutant(
    'retries are counted anew after a crash',
    change(
      boundStage,
      'const context = { ...snapshot.context, policy: stage.policy }',
      'const context = { ...snapshot.context, retries: 0, policy: stage.policy }',
    ),
  ),
  mutant(
    'restarts are counted anew after a crash',
    change(
      boundStage,
      'const context = { ...snapshot.context, policy: stage.policy }',
      'const context = { ...snapshot.context, spent: [], policy: stage.policy }',
    ),
  ),
  mutant(
    'one restart more than the intensity is made',
    change(
      stage,
      'countedRestarts(context, event).length < context.policy.intensity',
      'countedRestarts(context, event).length <= context.policy.intensity',
    ),
  ),
  mutant(
    'one retry more than the profile says is made',
    change(stage, 'context.retries < context.policy.maxRetries', 'context.retries <= context.policy.maxRetries'),
  ),
  mutant(
    'a permanent failure is retried',
    change(
      stage,
      `      context.failure.kind !== null &&
      context.policy.retryOn.includes(context.failure.kind) &&`,
      '      context.failure.kind !== null &&',
    ),
  ),
  mutant(
    'a stage repeats a call that had used up its own attempts',
    change(stage, '      !context.failure.exhausted &&\n', ''),
  ),
  mutant(
    'a temporary stage is restarted',
    change(stage, "  policy.restart === 'transient' && [", '  policy.restart.length > 0 && ['),
  ),
  mutant(
    'a stage does not wait as long as it was asked to',
    change(
      stage,
      "failedAt(event) + (failure?.retryAfterMs || ('delayMs'",
      "failedAt(event) + (Math.min(1, failure?.retryAfterMs ?? 1) || ('delayMs'",
    ),
  ),
  mutant(
    'the delay before a retry is kept in memory alone',
    change(
      liveStage,
      '  setDelay(context: StageMachineContext): void {\n',
      '  setDelay(context: StageMachineContext): void {\n    return void this.run.services.wheel.set(context.dueAt ?? 0, () => this.run.dispatch(() => this.passDelay()))\n',
    ),
  ),
  mutant(
    'the delay before a retry is left out',
    change(
      liveStage,
      "context.dueAt ?? 0, { kind: 'delay', stage: this.name })",
      "0, { kind: 'delay', stage: this.name })",
    ),
  ),
  mutant(
    'credit for restarts comes back without progress',
    change(
      stage,
      'failedAt(event) - at <= policy.periodMs || progressAt(event) <= progress',
      'failedAt(event) - at <= policy.periodMs',
    ),
    ['test/model/stage.test.ts', 'test/integration/runtime/causes.test.ts', 'test/unit/runtime/static-bound.test.ts'],
  ),
  mutant(
    'the same failure again and again is no livelock',
    change(
      stage,
      '(context.alike?.times ?? 0) >= context.policy.livelockAfter',
      '(context.alike?.times ?? 0) >= 1000 * context.policy.livelockAfter',
    ),
    ['test/model/stage.test.ts', 'test/integration/runtime/causes.test.ts'],
  ),
  mutant('the late result of an attempt that is over is taken', [
    change(
      liveStage,
      'if (this.attempt !== attempt || attempt.over || run.detached) return',
      'if (run.detached) return',
    ),
    change(
      'src/runtime/stage/attempt.ts',
      '  #settle(outcome: { value?: unknown; thrown?: unknown }): void {\n    if (this.over) return\n',
      '  #settle(outcome: { value?: unknown; thrown?: unknown }): void {\n',
    ),
  ]),
  mutant(
    'a run that was cancelled goes on',
    change(
      workflow,
      "CANCEL: { target: 'cancelling', actions: 'rememberReason' }",
      "CANCEL: { actions: 'rememberReason' }",
    ),
  ),
  mutant(
    'what runs goes on while an operator holds the run',
    change(
      workflow,
      "            WAIT_BEGUN: 'waiting',\n            PAUSE: { target: 'paused', actions: ['rememberReason', 'suspendStages'] },",
      "            WAIT_BEGUN: 'waiting',\n            PAUSE: { target: 'paused', actions: ['rememberReason'] },",
    ),
  ),
  mutant(
    'compensations run first success first',
    change('src/runtime/run/compensations.ts', 'of ended.reverse()', 'of ended'),
  ),
  mutant(
    'compensations run again after a crash',
    change('src/runtime/run/compensations.ts', ' || run.memory.compensated.has(name)', ''),
  ),
  mutant(
    'a supervisor makes one restart more than its intensity',
    change(
      supervisor,
      'restartsWithOneMore(context, event.at) <= context.intensity',
      'restartsWithOneMore(context, event.at) <= context.intensity + 1',
    ),
    supervisorTests,
  ),
  mutant(
    'a restart whose age is exactly the period does not count',
    change(
      'src/time/sliding-count.ts',
      'if (now - entry.at <= periodMs) return count',
      'if (now - entry.at < periodMs) return count',
    ),
    [...supervisorTests, 'test/property/supervisor/sliding-count.test.ts'],
  ),
]
