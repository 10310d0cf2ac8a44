/**
 * `run --chaos <profile>[@seed]`: faults on purpose. Each is told on stderr as it happens, a death of the process with
 * the command that goes on; afterwards how to do the same again, for real or in the simulator.
 */
import { type Chaos, OptionsError } from '../index.ts'
import type { Session } from './session.ts'
import { quoted } from './shell.ts'

export interface ChaosOfRun {
  readonly chaos: Chaos
  /** With the seed that was drawn, for another process. */
  readonly flags: { readonly chaos: string }
  /** Says what was injected; after the end. */
  sayEnd(): void
}

/** Loaded when it is asked for: nothing of it is there without the flag. @throws OptionsError */
export async function chaosOf(
  session: Session,
  flag: string | undefined,
  { workflow, id }: { readonly workflow: string; readonly id: string },
): Promise<ChaosOfRun | undefined> {
  if (flag === undefined) return undefined
  const { profile, seed } = parseChaos(flag)
  const { chaos } = await import('../testing.ts')
  const { terminal } = session
  const goOn = session.command(`resume ${quoted(id)}`)
  const again = (of: string): string => session.command(`simulate ${quoted(workflow)} --replay ${quoted(of)}`)
  const made = chaos(profile, {
    seed,
    onFault: ({ text }) => terminal.say(`chaos: ${text}`),
    kill: ({ runId }) => {
      terminal.pin([])
      terminal.say(`chaos: this process is killed on purpose; go on with: ${goOn}`)
      terminal.say(`chaos: the same again in the simulator: ${again(runId)}`)
      process.kill(process.pid, 'SIGKILL')
    },
  })
  terminal.say(
    `chaos: faults of profile '${profile}' are injected on purpose; the same ones: --chaos ${profile}@${made.seed}`,
  )
  return {
    chaos: made,
    flags: { chaos: `${profile}@${made.seed}` },
    sayEnd() {
      const count = made.injected.length
      const what =
        count === 0 ? 'nothing was injected' : count === 1 ? '1 fault was injected' : `${count} faults were injected`
      if (made.injected.some(({ fault }) => fault === 'store.failed' || fault === 'store.lost'))
        terminal.say(`chaos: the store was taken away on purpose; go on with: ${goOn}`)
      terminal.say(`chaos: ${what}${count === 0 ? '' : `; the same again in the simulator: ${again(id)}`}`)
    },
  }
}

/** `providers` or `providers@17`. @throws OptionsError for a seed that is none */
function parseChaos(text: string): { readonly profile: string; readonly seed: number | undefined } {
  const place = text.lastIndexOf('@')
  if (place < 0) return { profile: text, seed: undefined }
  const digits = text.slice(place + 1)
  if (/^-?\d+$/.test(digits)) return { profile: text.slice(0, place), seed: Number(digits) }
  throw new OptionsError(`--chaos: '${digits}' must be a seed, a whole number, as in --chaos providers@17`)
}
