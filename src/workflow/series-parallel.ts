/**
 * What a graph of needs looks like as nested series and parallels. Two parts are in series only when every stage of
 * the second needs, directly or through others, every stage of the first; they are parallel when no stage of one needs
 * a stage of the other. So the form never makes a stage wait for one that it does not need. What is neither (a before
 * c and d, b before d alone) is a net: its members wait each for their own needs.
 *
 * Stages are numbers in the order of definition, and a stage needs only earlier ones.
 */

export type Flow =
  | { readonly kind: 'stage'; readonly stage: number }
  | { readonly kind: 'series'; readonly parts: readonly Flow[] }
  | { readonly kind: 'parallel'; readonly branches: readonly Flow[] }
  | { readonly kind: 'net'; readonly members: readonly NetMember[] }

/** A stage or a chain of them, and the stages of the same net that must have ended before it starts. */
export interface NetMember {
  readonly stages: readonly number[]
  readonly needs: readonly number[]
}

/** @param needs for each stage the stages that it needs, all of them smaller; at least one stage */
export function decompose(needs: readonly (readonly number[])[]): Flow {
  return flowOf(
    needs.map((_, stage) => stage),
    new Precedence(needs),
  )
}

function flowOf(stages: readonly number[], order: Precedence): Flow {
  if (stages.length === 1) return { kind: 'stage', stage: stages[0] as number }
  const parts = seriesParts(stages, order)
  if (parts.length > 1) return { kind: 'series', parts: parts.map(part => flowOf(part, order)) }
  const branches = parallelBranches(stages, order)
  if (branches.length > 1) return { kind: 'parallel', branches: branches.map(branch => flowOf(branch, order)) }
  return { kind: 'net', members: netMembers(stages, order) }
}

/** Cuts before stage k where every stage from k on comes after every stage before k. */
function seriesParts(stages: readonly number[], order: Precedence): number[][] {
  const cuts: number[] = []
  let shortest = stages.length
  for (let cut = stages.length - 1; cut > 0; cut--) {
    shortest = Math.min(shortest, leadingAncestors(stages[cut] as number, stages, shortest, order))
    if (shortest >= cut) cuts.push(cut)
  }
  cuts.reverse()
  return [0, ...cuts].map((cut, index) => stages.slice(cut, cuts[index]))
}

/** How many of the first stages come all before `stage`; counting stops at `most`. */
function leadingAncestors(stage: number, stages: readonly number[], most: number, order: Precedence): number {
  let count = 0
  while (count < most && order.isBefore(stages[count] as number, stage)) count++
  return count
}

/** The parts that no need connects. */
function parallelBranches(stages: readonly number[], order: Precedence): number[][] {
  const leader = new Map(stages.map(stage => [stage, stage]))
  const find = (stage: number): number => {
    let root = stage
    while (leader.get(root) !== root) root = leader.get(root) as number
    leader.set(stage, root)
    return root
  }
  for (const stage of stages) {
    for (const need of order.directNeeds(stage)) {
      if (leader.has(need)) leader.set(find(need), find(stage))
    }
  }
  const branches = new Map<number, number[]>()
  for (const stage of stages) {
    const root = find(stage)
    const branch = branches.get(root)
    if (branch) branch.push(stage)
    else branches.set(root, [stage])
  }
  return [...branches.values()]
}

/** Chains of stages that have each other as only successor and only need are one member. */
function netMembers(stages: readonly number[], order: Precedence): NetMember[] {
  const inside = new Set(stages)
  const needsInside = new Map(stages.map(stage => [stage, order.directNeeds(stage).filter(need => inside.has(need))]))
  const successors = new Map<number, number>()
  for (const need of [...needsInside.values()].flat()) successors.set(need, (successors.get(need) ?? 0) + 1)
  const chains = new Map<number, { readonly stages: number[]; readonly needs: readonly number[] }>()
  const members: NetMember[] = []
  for (const stage of stages) {
    const needs = needsInside.get(stage) as number[]
    const before =
      needs.length === 1 && successors.get(needs[0] as number) === 1 ? chains.get(needs[0] as number) : undefined
    const chain = before ?? { stages: [], needs }
    if (!before) members.push(chain)
    chain.stages.push(stage)
    chains.set(stage, chain)
  }
  return members
}

/** Who comes before whom, through any number of needs: one bit a pair. */
class Precedence {
  readonly #words: number
  readonly #ancestors: Uint32Array
  readonly #directNeeds: number[][] = []

  constructor(needs: readonly (readonly number[])[]) {
    this.#words = Math.ceil(needs.length / 32)
    this.#ancestors = new Uint32Array(this.#words * needs.length)
    for (let stage = 0; stage < needs.length; stage++) this.#add(stage, needs[stage] as readonly number[])
  }

  isBefore(earlier: number, later: number): boolean {
    return ((this.#ancestors[later * this.#words + (earlier >>> 5)] as number) & (1 << (earlier & 31))) !== 0
  }

  /** The needs that are not implied by another need. */
  directNeeds(stage: number): readonly number[] {
    return this.#directNeeds[stage] as number[]
  }

  /** Latest need first: one that a later need already comes after is implied. */
  #add(stage: number, needs: readonly number[]): void {
    const direct: number[] = []
    const row = stage * this.#words
    for (const need of [...needs].sort((a, b) => b - a)) {
      if (this.isBefore(need, stage)) continue
      direct.push(need)
      const other = need * this.#words
      for (let word = 0; word <= need >>> 5; word++) {
        this.#ancestors[row + word] =
          (this.#ancestors[row + word] as number) | (this.#ancestors[other + word] as number)
      }
      const own = row + (need >>> 5)
      this.#ancestors[own] = (this.#ancestors[own] as number) | (1 << (need & 31))
    }
    this.#directNeeds.push(direct.reverse())
  }
}
