/** `holdfast profiles list|show`: which profile a task has, its effective values, and where each came from. */
import type { Command } from 'commander'
import { readProfileOverrides } from '../../config/environment.ts'
import {
  ConfigError,
  effectiveProfile,
  knownProfileNames,
  knownTasks,
  type OverrideSource,
  type ProfileOverrides,
} from '../../index.ts'
import { formatMs } from '../../time/duration.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { type OverrideFlags, overridesOf } from '../parse-flags.ts'
import type { Session } from '../session.ts'
import type { Does } from './command.ts'

export function addProfiles(program: Command, does: Does): void {
  const profiles = program.command('profiles').description('look at resilience profiles')
  profiles
    .command('list')
    .description('the profiles, and the tasks that have them')
    .action(does(async (session, _args) => list(session)))
  profiles
    .command('show')
    .argument('<task>', 'a task, or a profile')
    .description('the effective values of the profile of a task, and where each came from')
    .option('--max-retries <n>', 'as for `run`')
    .option('--timeout-multiplier <factor>', 'as for `run`')
    .action(does<OverrideFlags>(async (session, [name = ''], flags) => show(session, name, flags)))
}

function list(session: Session): ExitCode {
  const tasks = Object.entries(knownTasks())
  const items = knownProfileNames().map(name => {
    const { values } = effectiveProfile(name)
    return {
      profile: name,
      tasks: tasks.filter(([, profile]) => profile === name).map(([task]) => task),
      retries: values.find(value => value.name === 'retry.max')?.value,
      fallback: values.find(value => value.name === 'fallback')?.value,
    }
  })
  if (session.json) session.terminal.put(JSON.stringify({ items }, null, 2))
  else
    for (const { profile, tasks: own, retries, fallback } of items)
      session.terminal.put(
        `${profile.padEnd(10)} ${retries} ${retries === 1 ? 'retry' : 'retries'}, fallback ${fallback}; tasks: ${own.join(', ')}`,
      )
  return exitCodes.done
}

function show(session: Session, name: string, flags: OverrideFlags): ExitCode {
  const overriding: OverrideSource[] = [
    {
      overrides: overridesOf(flags),
      sources: {
        maxRetries: 'flag --max-retries',
        timeoutMultiplier: `flag --timeout-multiplier ${flags.timeoutMultiplier}`,
      },
    },
    {
      overrides: environmentOverrides(session),
      sources: {
        maxRetries: 'environment HOLDFAST_MAX_RETRIES',
        timeoutMultiplier: 'environment HOLDFAST_TIMEOUT_MULTIPLIER',
      },
    },
  ]
  const effective = effectiveProfile(name, {}, overriding)
  if (session.json) {
    session.terminal.put(JSON.stringify(effective, null, 2))
    return exitCodes.done
  }
  const { task, profile, source, values } = effective
  session.terminal.put(task === undefined ? `profile ${profile}` : `task ${task}: profile ${profile}, by ${source}`)
  const texts = values.map(value => ({ ...value, text: textOf(value.name, value.value) }))
  const width = Math.min(60, Math.max(...texts.map(({ text }) => text.length)))
  for (const value of texts)
    session.terminal.put(`  ${value.name.padEnd(22)} ${value.text.padEnd(width)}  ${value.source}`)
  return exitCodes.done
}

/** Looking needs no valid environment: what cannot be read is said and left out. */
function environmentOverrides(session: Session): ProfileOverrides {
  try {
    return readProfileOverrides()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    session.terminal.say(`${error.message} (it is left out here)`)
    return {}
  }
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'number' && (name.startsWith('timeout.') || name === 'restart.period')) return formatMs(value)
  if (Array.isArray(value)) return value.join(', ') || 'nothing'
  if (value !== null && typeof value === 'object')
    return (
      Object.entries(value)
        .map(([key, inner]) => `${key} ${String(inner)}`)
        .join(', ') || 'the usual'
    )
  return String(value)
}
