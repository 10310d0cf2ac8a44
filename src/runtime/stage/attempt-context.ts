/**
 * What a stage's function is given. One is made for every attempt, and most functions read two or three of its parts: so
 * each part is made when it is read, by a getter that all share. To the function it is a plain object all the same: its
 * parts are its own, and it can be taken apart, copied and listed.
 */
import { toMs } from '../../time/duration.ts'
import type { StageContext, StepContext, StepOptions } from '../../workflow/stage-context.ts'
import { startChildRun } from '../run/child-runs.ts'
import type { Attempt } from '../run/live.ts'
import { handled } from './stage-promises.ts'
import { sleep, stageLog, stageModel, waitFor } from './stage-tools.ts'
import { runStep } from './steps.ts'

export function createStageContext(attempt: Attempt): StageContext {
  const context = new AttemptContext(attempt)
  const { item } = attempt.stage
  if (item) Object.assign(context, { item: attempt.stage.itemValue(), index: item.index })
  return new Proxy(context, asPlainObject)
}

type StepFunction<T> = (context: StepContext) => T | Promise<T>

class AttemptContext implements StageContext {
  readonly #attempt: Attempt
  #input: { readonly value: unknown } | undefined
  #results: Readonly<Record<string, unknown>> | undefined

  constructor(attempt: Attempt) {
    this.#attempt = attempt
  }

  get input(): unknown {
    this.#input ??= { value: this.#attempt.stage.input }
    return this.#input.value
  }

  get results(): StageContext['results'] {
    const { run, definition } = this.#attempt.stage
    this.#results ??= run.resultsOf(definition.ancestors)
    return this.#results
  }

  get runId(): string {
    return this.#attempt.stage.run.id
  }

  get stage(): string {
    return this.#attempt.stage.name
  }

  get attempt(): number {
    return this.#attempt.number
  }

  get incarnation(): number {
    return this.#attempt.incarnation
  }

  get lastFailure(): StageContext['lastFailure'] {
    return this.#attempt.stage.lastFailure
  }

  get idempotencyKey(): string {
    return `${this.runId}/${this.stage}`
  }

  get signal(): AbortSignal {
    return this.#attempt.signal
  }

  get deadline(): number {
    return this.#attempt.deadline
  }

  get log(): StageContext['log'] {
    return stageLog(this.#attempt)
  }

  get metrics(): StageContext['metrics'] {
    const { run, name } = this.#attempt.stage
    return run.services.metrics.of(name, run.definition.name)
  }

  get model(): StageContext['model'] {
    return stageModel(this.#attempt)
  }

  get system(): StageContext['system'] {
    const { services } = this.#attempt.stage.run
    return { state: () => services.systemState() }
  }

  // Methods come from getters, so that they work apart from the object.

  get progress(): StageContext['progress'] {
    const attempt = this.#attempt
    const { stage } = attempt
    return (fraction, note) => {
      attempt.ensureCurrent()
      const bounded = Math.min(1, Math.max(0, Number(fraction) || 0))
      const told = { fraction: bounded, ...(note === undefined ? {} : { note: String(note) }) }
      stage.run.dispatch(() => stage.run.journal('stage.progressed', told, stage.where(attempt)))
    }
  }

  get step(): StageContext['step'] {
    const attempt = this.#attempt
    return <T>(name: string, second: StepOptions | StepFunction<T> | undefined, third?: StepFunction<T>): Promise<T> =>
      handled(
        typeof second === 'function'
          ? runStep(attempt, name, {}, second)
          : runStep(attempt, name, second ?? {}, third as StepFunction<T>),
      )
  }

  get sleep(): StageContext['sleep'] {
    const attempt = this.#attempt
    return duration => handled(sleep(attempt, toMs(duration, 'sleep')))
  }

  get waitFor(): StageContext['waitFor'] {
    const attempt = this.#attempt
    return (signal, options) => handled(waitFor(attempt, signal, options ?? {}))
  }

  get startChild(): StageContext['startChild'] {
    const attempt = this.#attempt
    return (workflow, input, options) => handled(startChildRun(attempt, workflow, input, options ?? {}))
  }

  get degrade(): StageContext['degrade'] {
    const attempt = this.#attempt
    const { stage } = attempt
    return reason => {
      attempt.ensureCurrent()
      stage.run.dispatch(() => stage.run.degrade({ stage: stage.name, reason: String(reason) }))
    }
  }
}

const parts: ReadonlySet<string | symbol> = new Set(
  Object.getOwnPropertyNames(AttemptContext.prototype).filter(name => name !== 'constructor'),
)

/** Shows the shared getters as parts of the object itself; they are read with the object behind as `this`. */
const asPlainObject: ProxyHandler<AttemptContext> = {
  get: (context, name) => Reflect.get(context, name),
  ownKeys: context => [...parts, ...Reflect.ownKeys(context)],
  getOwnPropertyDescriptor: (context, name) =>
    parts.has(name)
      ? { value: Reflect.get(context, name), enumerable: true, configurable: true }
      : Reflect.getOwnPropertyDescriptor(context, name),
}
