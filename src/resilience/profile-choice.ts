/**
 * Which profile governs: the one that a stage, a start or a workflow names, itself or by its task, in the order of the
 * contract. Beside the profiles and tasks that are built in there may be some of the caller's own.
 */
import { OptionsError } from '../errors.ts'
import { suggestion } from '../options.ts'
import { builtInProfiles, type ResolvedProfile, taskProfiles } from './profiles.ts'

/** A profile as a stage, a workflow or `start` names it: by name, or the object that `defineProfile` made. */
export type ProfileReference = string | object

export interface ProfileChoice {
  readonly stage?: { readonly profile?: ProfileReference | undefined; readonly task?: string | undefined } | undefined
  /** Of `start` or `--profile`. */
  readonly start?: ProfileReference | undefined
  readonly workflow?:
    | { readonly profile?: ProfileReference | undefined; readonly task?: string | undefined }
    | undefined
}

export interface KnownProfiles {
  /** By name, beside the three that are built in; one of the same name replaces it. */
  readonly profiles?: Readonly<Record<string, ResolvedProfile>> | undefined
  /** Which profile a task has, beside the table that is built in. */
  readonly tasks?: Readonly<Record<string, string>> | undefined
}

/**
 * The profile that governs a stage. Contract section 1: stage `profile` > stage `task` > `start` > workflow `profile` >
 * workflow `task` > `balanced`.
 * @throws OptionsError for a name of a profile or task that nobody knows, and for an object that is no profile
 */
export function resolveProfile(choice: ProfileChoice, known: KnownProfiles = {}): ResolvedProfile {
  const { stage, start, workflow } = choice
  const ofStageTask = stage?.task === undefined ? undefined : profileOfTask(stage.task, known)
  const ofWorkflowTask = workflow?.task === undefined ? undefined : profileOfTask(workflow.task, known)
  return profileOf(stage?.profile ?? ofStageTask ?? start ?? workflow?.profile ?? ofWorkflowTask ?? 'balanced', known)
}

/** Which of them decides, in words. */
export function choiceOf({ stage, start, workflow }: ProfileChoice): string {
  if (stage?.profile !== undefined) return 'the stage'
  if (stage?.task !== undefined) return `the stage's task '${stage.task}'`
  if (start !== undefined) return 'the start'
  if (workflow?.profile !== undefined) return 'the workflow'
  return workflow?.task === undefined ? 'the default' : `the workflow's task '${workflow.task}'`
}

/** The profile that a reference means. @throws OptionsError when it means none */
export function profileOf(reference: ProfileReference, known: KnownProfiles = {}): ResolvedProfile {
  if (typeof reference === 'string') {
    const profiles: Readonly<Record<string, ResolvedProfile>> = { ...builtInProfiles, ...known.profiles }
    const found = Object.hasOwn(profiles, reference) ? profiles[reference] : undefined
    if (found) return found
    throw new OptionsError(`unknown profile '${reference}'${suggestion(reference, Object.keys(profiles))}`, {
      profile: reference,
    })
  }
  if (isProfile(reference)) return reference
  throw new OptionsError('a profile must be a name, or an object made by defineProfile')
}

/** The name of the profile of a task. @throws OptionsError for a task that nobody knows */
function profileOfTask(task: string, known: KnownProfiles = {}): string {
  const tasks: Readonly<Record<string, string>> = { ...taskProfiles, ...known.tasks }
  const found = Object.hasOwn(tasks, task) ? tasks[task] : undefined
  if (found) return found
  throw new OptionsError(`unknown task '${task}'${suggestion(task, Object.keys(tasks))}`, { task })
}

/** By its form and not by a mark, so that a profile that came back from JSON is one. */
function isProfile(value: object): value is ResolvedProfile {
  const profile = value as Partial<Record<keyof ResolvedProfile, unknown>>
  const parts = [profile.retry, profile.timeout, profile.circuit, profile.restart]
  return (
    typeof profile.name === 'string' &&
    parts.every(part => typeof part === 'object' && part !== null) &&
    'backoff' in (profile.retry as object) &&
    'attemptMs' in (profile.timeout as object)
  )
}
