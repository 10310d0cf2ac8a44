/**
 * The stages of a builder, in the order of definition. A list is never changed: adding gives a new one. Lists of one
 * chain share their storage, so that a workflow of a thousand stages costs a thousand steps to write and not a
 * million; the first list that branches off copies.
 */
import type { StageDefinition } from './definition.ts'

/** A stage whose ancestors are not known yet. */
export type StageDraft = Omit<StageDefinition, 'ancestors'>

export class StageList {
  readonly #drafts: StageDraft[]
  readonly #indexes: Map<string, number>
  readonly length: number

  constructor(drafts: StageDraft[] = [], indexes: Map<string, number> = new Map()) {
    this.#drafts = drafts
    this.#indexes = indexes
    this.length = drafts.length
  }

  has(name: string): boolean {
    return (this.#indexes.get(name) ?? this.length) < this.length
  }

  get last(): StageDraft | undefined {
    return this.#drafts[this.length - 1]
  }

  /** A list with this stage behind the others. */
  with(draft: StageDraft): StageList {
    const isNewest = this.#drafts.length === this.length
    const drafts = isNewest ? this.#drafts : this.toArray()
    const indexes = isNewest ? this.#indexes : new Map(drafts.map((known, index) => [known.name, index]))
    indexes.set(draft.name, drafts.length)
    drafts.push(draft)
    return new StageList(drafts, indexes)
  }

  toArray(): StageDraft[] {
    return this.#drafts.slice(0, this.length)
  }
}
