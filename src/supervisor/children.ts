/** The records of a supervisor's children in spec order, and which of the significant ones are not stopped. */
import { Child } from './child.ts'
import type { ResolvedChildSpec } from './child-spec.ts'

export class Children<TNested> {
  readonly #byId = new Map<string, Child<TNested>>()
  readonly #significant = new Set<Child<TNested>>()

  get size(): number {
    return this.#byId.size
  }

  find(id: string): Child<TNested> | undefined {
    return this.#byId.get(id)
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
   * The children of these specs and no others. A record of the same id is kept, so that refs to it stay valid.
   * @returns the records that are new, and those that are gone
   */
  reset(specs: readonly ResolvedChildSpec[]): { readonly added: Child<TNested>[]; readonly gone: Child<TNested>[] } {
    const before = new Map(this.#byId)
    const added: Child<TNested>[] = []
    this.#byId.clear()
    for (const spec of specs) {
      const known = before.get(spec.id)
      before.delete(spec.id)
      if (!known) {
        added.push(this.add(spec))
        continue
      }
      known.spec = spec
      known.failures = 0
      known.previousDelayMs = 0
      known.isRemoved = false
      this.#byId.set(spec.id, known)
    }
    const gone = [...before.values()]
    for (const child of gone) child.isRemoved = true
    return { added, gone }
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
