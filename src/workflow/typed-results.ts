/**
 * How the type of a builder remembers its stages, and what `results` is for each of them. A builder keeps a union of
 * entries, one a stage, and every entry the union of the names before it: unions of names are what the compiler is
 * fast at, so that a chain of hundreds of stages still checks in a moment.
 */
import type { Jsonify } from './jsonify.ts'

/** What the type of a builder knows about one stage. `ancestors` are the names before it through `needs`. */
export interface StageEntry<TName extends string, TResult, TAncestors extends string> {
  readonly name: TName
  readonly result: TResult
  readonly ancestors: TAncestors
}

/** The entry of a stage that the compiler knows nothing about. */
// biome-ignore lint/suspicious/noExplicitAny: results of a builder made in a loop are untyped
export type AnyEntry = StageEntry<string, any, string>

export type EntryOf<TEntries, TName> = Extract<TEntries, { readonly name: TName }>

/** No needs were given: those that the stage before leads to. */
declare const defaultNeeds: unique symbol
export type DefaultNeeds = typeof defaultNeeds

/** The names that a stage with these needs has before it. `TBefore` is what it has by default. */
export type AncestorsThrough<
  TEntries extends AnyEntry,
  TNeeds extends string | DefaultNeeds,
  TBefore extends string,
> = TNeeds extends string ? TNeeds | EntryOf<TEntries, TNeeds>['ancestors'] : TBefore

/** An object with a key for each named stage; untyped where the names are not known. */
export type ResultsOf<TEntries extends AnyEntry, TNames extends string> = string extends TEntries['name']
  ? UntypedResults
  : { readonly [TEntry in EntryOf<TEntries, TNames> as TEntry['name']]: TEntry['result'] }

/** The results that a stage with these needs can see. */
export type ResultsThrough<
  TEntries extends AnyEntry,
  TNeeds extends string | DefaultNeeds,
  TBefore extends string,
> = ResultsOf<TEntries, AncestorsThrough<TEntries, TNeeds, TBefore>>

// biome-ignore lint/suspicious/noExplicitAny: results of a builder made in a loop are untyped
export type UntypedResults = Readonly<Record<string, any>>

/** Undefined where the stage may be skipped or may fail without failing the run; a fallback's value where it has one. */
export type StageResult<TReturned, TSkips, TOptional, TFallback> =
  | Attempted<Jsonify<Awaited<TReturned>>, TOptional, TFallback>
  | Skipped<TSkips>

/** In the order of `over`; what may be undefined in a stage may be so in each item. */
export type MapResult<TReturned, TSkips, TOptional, TFallback> =
  | Attempted<Jsonify<Awaited<TReturned>>, TOptional, TFallback>[]
  | Skipped<TSkips>

type Skipped<TSkips> = [TSkips] extends [never] ? never : undefined

type Attempted<TResult, TOptional, TFallback> = [TFallback] extends [never]
  ? [TOptional] extends [false | undefined]
    ? TResult
    : TResult | undefined
  : TResult | Jsonify<Awaited<TFallback>>
