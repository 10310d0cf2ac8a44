/**
 * What goes wrong in a simulation, and how often: six kinds of fault, each with a rate between 0 (never) and 1 (as often
 * as the kind can bear). A profile is a name for such rates.
 */
import { z } from 'zod'
import { OptionsError } from '../../errors.ts'
import { parseOptions, suggestion } from '../../options.ts'

export interface FaultRates {
  /** Deaths of the process, at a write to the store or at any other time. */
  readonly crashes: number
  /** Writes that take long, a full disk, a snapshot that cannot be read any more. */
  readonly disk: number
  /** Model calls that fail, hang, are slow or answer what was not asked; outages of a provider. */
  readonly providers: number
  /** Jumps of the clock, forwards and backwards. */
  readonly clock: number
  /** A second process that wants the store, or that has taken it from one which still lives. */
  readonly owners: number
  /** An operator who holds runs for a while, and cancels some. Not part of `all`: a cancelled run is not what was asked for. */
  readonly operators: number
}

const none: FaultRates = { crashes: 0, disk: 0, providers: 0, clock: 0, owners: 0, operators: 0 }

export const faultProfiles: Readonly<Record<string, FaultRates>> = {
  none,
  crashes: { ...none, crashes: 0.8 },
  disk: { ...none, crashes: 0.3, disk: 0.6 },
  providers: { ...none, providers: 0.4 },
  clock: { ...none, crashes: 0.3, clock: 0.6 },
  owners: { ...none, crashes: 0.3, owners: 0.7 },
  operators: { ...none, crashes: 0.3, operators: 0.8 },
  all: { crashes: 0.6, disk: 0.25, providers: 0.25, clock: 0.25, owners: 0.3, operators: 0 },
}

/** The name of a profile, or rates by kind: a number from 0 to 1, or true for that of the profile `all` (of `operators` its own). */
export type Faults = string | Readonly<Partial<Record<keyof FaultRates, number | boolean>>>

const rate = z.union([z.number().min(0).max(1), z.boolean()], { error: 'must be a rate from 0 to 1, or true or false' })
const ratesSchema = z.strictObject({
  crashes: rate.optional(),
  disk: rate.optional(),
  providers: rate.optional(),
  clock: rate.optional(),
  owners: rate.optional(),
  operators: rate.optional(),
})

/** @throws OptionsError for a profile or a kind of fault that there is not */
export function resolveFaults(faults: Faults | undefined, where: string): FaultRates {
  const all = faultProfiles.all as FaultRates
  if (faults === undefined) return all
  if (typeof faults === 'string') {
    const found = faultProfiles[faults]
    if (found && Object.hasOwn(faultProfiles, faults)) return found
    const known = Object.keys(faultProfiles)
    throw new OptionsError(`${where}: there is no fault profile '${faults}'${suggestion(faults, known)}`, {
      profile: faults,
    })
  }
  const given = parseOptions(ratesSchema, faults, where)
  const resolved: Record<string, number> = { ...none }
  for (const kind of Object.keys(none) as (keyof FaultRates)[]) {
    const value = given[kind]
    if (value !== undefined) resolved[kind] = value === true ? all[kind] || ownRate(kind) : Number(value)
  }
  return resolved as unknown as FaultRates
}

const ownRate = (kind: keyof FaultRates): number => faultProfiles[kind]?.[kind] ?? 0
