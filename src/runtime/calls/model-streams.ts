/**
 * A streamed answer in the hand of a stage: the pieces as the provider gives them, and the whole at the end. Pieces wait
 * here until they are read. Until the first one is, a failed attempt may be followed by another, which begins anew; what
 * has been read cannot be taken back, so after it a failure is told to the reader.
 */
import type { PieceSink } from '../../resilience/model-answer.ts'
import type { GenerateResult, GenerateStream } from '../../workflow/stage-context.ts'
import { handled } from '../stage/stage-promises.ts'

/** @param call makes the call, giving its pieces to the sink */
export function streamOf(call: (sink: PieceSink) => Promise<GenerateResult<unknown>>): GenerateStream<unknown> {
  const pieces = new Pieces()
  const result = handled(call(pieces))
  result.then(
    () => pieces.end(),
    error => pieces.fail(error),
  )
  return { result, [Symbol.asyncIterator]: () => pieces.read() }
}

class Pieces implements PieceSink {
  #waiting: string[] = []
  #taken = false
  #ended = false
  #error: { readonly thrown: unknown } | undefined
  #wake: () => void = () => {}

  get isCommitted(): boolean {
    return this.#taken
  }

  restart(): void {
    if (!this.#taken) this.#waiting = []
  }

  piece(text: string): void {
    this.#waiting.push(text)
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  fail(thrown: unknown): void {
    this.#error = { thrown }
    this.end()
  }

  async *read(): AsyncGenerator<string> {
    for (;;) {
      for (let text = this.#waiting.shift(); text !== undefined; text = this.#waiting.shift()) {
        this.#taken = true
        yield text
      }
      if (this.#error) throw this.#error.thrown
      if (this.#ended) return
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }
}
