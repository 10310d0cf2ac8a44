/**
 * The profile of a stage and what follows from it for the stage's machine: the same for every run that was started with
 * the same profile, so it is worked out once.
 */
import type { StagePolicy } from '../../../machines/stage.machine.ts'
import { type KnownProfiles, resolveProfile } from '../../resilience/profile-choice.ts'
import { type ProfileOverrides, scaledMs, withOverrides } from '../../resilience/profile-overrides.ts'
import type { ResolvedProfile } from '../../resilience/profiles.ts'
import type { StageDefinition, WorkflowDefinition } from '../../workflow/definition.ts'

export interface StageRules {
  readonly profile: ResolvedProfile
  /** Of one incarnation: the stage's own, or the profile's. */
  readonly timeoutMs: number
  readonly policy: StagePolicy
}

export type RulesOf = (
  workflow: WorkflowDefinition,
  stage: StageDefinition,
  startProfile: string | object | undefined,
  /** Of the run; what it does not say is the runtime's. */
  overrides?: ProfileOverrides | undefined,
) => StageRules

/** @param usual the overrides of the runtime */
export function createStageRules(known: KnownProfiles, usual: ProfileOverrides = {}): RulesOf {
  /** By stage, for runs that were started without a profile, or with one by name. */
  const byName = new WeakMap<StageDefinition, Map<string, StageRules>>()

  return (workflow, stage, startProfile, own) => {
    const overrides = own === undefined ? usual : { ...usual, ...own }
    const make = () => rulesOf(stage, resolveProfile({ stage, start: startProfile, workflow }, known), overrides)
    if (startProfile !== undefined && typeof startProfile !== 'string') return make()
    const name = `${startProfile ?? ''}${own === undefined ? '' : ` ${JSON.stringify(own)}`}`
    const rules = byName.get(stage) ?? new Map<string, StageRules>()
    byName.set(stage, rules)
    const found = rules.get(name)
    if (found) return found
    const made = make()
    rules.set(name, made)
    return made
  }
}

function rulesOf(stage: StageDefinition, chosen: ResolvedProfile, overrides: ProfileOverrides): StageRules {
  const profile = withOverrides(chosen, overrides)
  const { timeoutMs: ownMs } = stage
  return {
    profile,
    timeoutMs: ownMs === undefined ? profile.timeout.stageMs : scaledMs(ownMs, overrides.timeoutMultiplier),
    policy: {
      maxRetries: profile.retry.max,
      retryOn: [...profile.retry.on],
      remedies: [...stage.remedies],
      restart: stage.restart,
      intensity: profile.restart.intensity,
      periodMs: profile.restart.periodMs,
      livelockAfter: profile.restart.livelockAfter,
      onExhausted: profile.restart.onExhausted,
      fallback: stage.fallback !== undefined,
      optional: stage.optional,
      preflight: stage.preflight,
    },
  }
}

/** The context of a stage as it is kept: without its policy, which is what the code says when it is restored. */
export const persistedContext = (context: object): object => ({ ...context, policy: undefined })
