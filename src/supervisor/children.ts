/** The records of a supervisor's children in spec order, and which of the significant ones are not stopped. */
import { Child } from './child.ts'
import type { ResolvedChildSpec } from './child-spec.ts'

export class Children<TNested> {
  readonly #byId = new Map<string, Child<TNested>>()
  /** Those of the supervisor's own spec, also when they are gone for now. */
  readonly #specified = new Map<string, Child<TNested>>()
  readonly #significant = new Set<Child<TNested>>()

  get size(): number {
    return this.#byId.size
  }

  find(id: string): Child<TNested> | undefined {
    return this.#byId.get(id)
  }

  /** In order, for whoever only reads: what is added or deleted meanwhile may be seen or not. */
  values(): IterableIterator<Child<TNested>> {
    return this.#byId.values()
  }

  inOrder(): Child<TNested>[] {
    return [...this.#byId.values()]
  }

  inReverse(): Child<TNested>[] {
    return this.inOrder().reverse()
  }

  add(spec: ResolvedChildSpec): Child<TNested> {
    const child = new Child<TNested>(spec)
    this.#byId.set(spec.id, child)
    return child
  }

  delete(child: Child<TNested>): void {
    this.#byId.delete(child.spec.id)
    child.isRemoved = true
  }

  /**
   * The children of the supervisor's own spec and no others. A record of the same id is kept, also where its child was
   * temporary and has gone since, so that refs stay valid and incarnations go on counting.
   * @returns the records that are new, and those that are gone
   */
  reset(specs: readonly ResolvedChildSpec[]): { readonly added: Child<TNested>[]; readonly gone: Child<TNested>[] } {
    const gone = new Set(this.#byId.values())
    const known = new Map(this.#specified)
    const added: Child<TNested>[] = []
    this.#byId.clear()
    this.#specified.clear()
    for (const spec of specs) {
      const record = known.get(spec.id)
      const child = record ?? this.add(spec)
      if (record) this.#renew(record, spec)
      else added.push(child)
      this.#specified.set(spec.id, child)
      gone.delete(child)
    }
    for (const child of gone) child.isRemoved = true
    return { added, gone: [...gone] }
  }

  #renew(child: Child<TNested>, spec: ResolvedChildSpec): void {
    child.spec = spec
    child.failures = 0
    child.previousDelayMs = 0
    child.isRemoved = false
    this.#byId.set(spec.id, child)
  }

  noteStarted(child: Child<TNested>): void {
    if (child.spec.significant) this.#significant.add(child)
  }

  noteStopped(child: Child<TNested>): void {
    this.#significant.delete(child)
  }

  /** Whether a significant child other than this one runs or is being restarted. */
  hasOtherSignificant(child: Child<TNested>): boolean {
    return this.#significant.size > (this.#significant.has(child) ? 1 : 0)
  }
}
