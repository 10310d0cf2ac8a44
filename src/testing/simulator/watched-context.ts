/**
 * What the function of a stage is given in a simulation: the context that the runtime made, behind which Holdfast works,
 * which is not the stage. Steps are reported as they begin; what the function hears is held against what is durable.
 */
import type { AnyWorkflow } from '../../workflow/definition.ts'
import { isWorkflow } from '../../workflow/definition.ts'
import type { ChildRun, StageContext, StepContext } from '../../workflow/stage-context.ts'
import { inPlace, type Place } from './place.ts'
import type { StageWatch } from './stage-watch.ts'

type Callable = (...given: unknown[]) => unknown

export class WatchedContext {
  readonly given: StageContext
  readonly #context: StageContext
  readonly #watch: StageWatch
  readonly #watched: (workflow: AnyWorkflow) => AnyWorkflow
  readonly #outside: Place
  readonly #waits = new Map<string, number>()
  readonly #signals = new Map<AbortSignal, AbortSignal>()
  #sleeps = 0

  constructor(context: StageContext, watch: StageWatch, watched: (workflow: AnyWorkflow) => AnyWorkflow) {
    this.#context = context
    this.#watch = watch
    this.#watched = watched
    this.#outside = watch.place(undefined)
    const own: Readonly<Record<string, Callable>> = {
      step: (...asked) => this.#step(asked),
      sleep: duration => this.#sleep(duration),
      waitFor: (...asked) => this.#waitFor(asked),
      startChild: (child, ...asked) => this.#startChild(child, asked),
    }
    this.given = new Proxy(context, {
      get: (target, key) => {
        if (typeof key === 'string' && Object.hasOwn(own, key)) return own[key]
        const value = inPlace(this.#outside, () => Reflect.get(target, key)) as unknown
        if (key === 'signal') return this.#signal(value as AbortSignal)
        if (key === 'model') return this.#model(value as StageContext['model'])
        return key === 'log' || key === 'metrics' ? this.#behind(value as object) : this.#wrapped(value, target)
      },
    })
  }

  /** The same signal, of which the function hears as the stage that it is, and not as whoever gives it. */
  #signal(given: AbortSignal): AbortSignal {
    const known = this.#signals.get(given)
    if (known) return known
    const controller = new AbortController()
    const place = this.#watch.place(this.#context)
    const abort = (): void => {
      if (!place.process?.isDead) inPlace(place, () => controller.abort(given.reason))
    }
    if (given.aborted) abort()
    else given.addEventListener('abort', abort, { once: true })
    this.#signals.set(given, controller.signal)
    return controller.signal
  }

  #wrapped(value: unknown, self: unknown): unknown {
    if (typeof value !== 'function') return value
    return (...asked: unknown[]) => inPlace(this.#outside, () => Reflect.apply(value, self, asked))
  }

  #behind<T extends object>(target: T, own: Readonly<Record<string, Callable>> = {}): T {
    return new Proxy(target, {
      get: (object, key) =>
        typeof key === 'string' && Object.hasOwn(own, key) ? own[key] : this.#wrapped(Reflect.get(object, key), object),
    })
  }

  #step(asked: readonly unknown[]): unknown {
    const place = this.#watch.place(this.#context)
    const { recorded } = this.#watch
    const watched = asked.map(one => {
      if (typeof one !== 'function') return one
      return (step: StepContext) => {
        if (!this.#watch.stepBegins(step.idempotencyKey)) return new Promise<never>(() => {})
        const given = { ...step, signal: this.#signal(step.signal) }
        const work = (): unknown => inPlace(place, () => (one as (step: StepContext) => unknown)(given))
        return recorded ? recorded.step(step, work) : work()
      }
    })
    const { step } = this.#context as unknown as { step: Callable }
    return heard(
      this.#asked(() => step(...watched)),
      value => {
        const text = JSON.stringify(value)
        const recorded = text === undefined ? '{}' : `{"value":${text}}`
        this.#watch.told(this.#context, { kind: 'step', states: ['succeeded'], isIn: data => data === recorded })
      },
    )
  }

  #sleep(duration: unknown): unknown {
    const key = `sleep:${++this.#sleeps}`
    return heard(
      this.#asked(() => this.#context.sleep(duration as number)),
      () => this.#watch.told(this.#context, { kind: 'sleep', states: ['succeeded'], key, isIn: () => true }),
    )
  }

  #waitFor(asked: readonly unknown[]): unknown {
    const { waitFor } = this.#context as unknown as { waitFor: Callable }
    const name = String(asked[0])
    const number = (this.#waits.get(name) ?? 0) + 1
    this.#waits.set(name, number)
    this.#watch.recorded?.waits(this.#context, name, number)
    return heard(
      this.#asked(() => waitFor(...asked)),
      value => {
        const text = JSON.stringify(value)
        const isIn = (data: string): boolean => JSON.stringify((JSON.parse(data) as { value?: unknown }).value) === text
        this.#watch.told(this.#context, { kind: 'signal', states: ['succeeded'], isIn })
      },
      error => {
        if ((error as { details?: { recorded?: boolean } }).details?.recorded !== true) return
        this.#watch.told(this.#context, { kind: 'signal', states: ['failed'], isIn: () => true })
      },
    )
  }

  #startChild(child: unknown, asked: readonly unknown[]): unknown {
    const known = isWorkflow(child) ? this.#watched(child) : child
    const { startChild } = this.#context as unknown as { startChild: (...given: unknown[]) => Promise<ChildRun> }
    const started = this.#asked(() => startChild(known, ...asked)).then(run => {
      this.#watch.childTold(this.#context, run.id)
      return this.#behind(run, { result: () => this.#childResult(run) })
    })
    started.catch(() => {})
    return started
  }

  #childResult(child: ChildRun): unknown {
    return heard(
      this.#asked(() => child.result()),
      result => {
        const text = JSON.stringify(result)
        const isIn = (data: string): boolean =>
          JSON.stringify((JSON.parse(data) as { result?: unknown }).result) === text
        this.#watch.told(this.#context, { kind: 'child', states: ['succeeded'], isIn })
      },
    )
  }

  #model(model: StageContext['model']): StageContext['model'] {
    const { generate } = model as unknown as { generate: (options: unknown) => Promise<{ readonly text: string }> }
    return this.#behind(model, {
      generate: options =>
        heard(
          this.#asked(() => generate(options)),
          ({ text }) => {
            const isIn = (data: string): boolean =>
              (JSON.parse(data) as { answer?: { text?: string } }).answer?.text === text
            this.#watch.told(this.#context, { kind: 'call', states: ['succeeded'], isIn })
          },
        ),
    })
  }

  #asked<T>(ask: () => T): T {
    return inPlace(this.#outside, ask)
  }
}

/** The same promise, whose end is looked at first; one that nobody listens to is no fault of the process. */
function heard<T>(
  promise: T | Promise<T>,
  told: (value: T) => void,
  refused: (error: unknown) => void = () => {},
): Promise<T> {
  const looked = Promise.resolve(promise).then(
    value => {
      told(value)
      return value
    },
    error => {
      refused(error)
      throw error
    },
  )
  looked.catch(() => {})
  return looked
}
