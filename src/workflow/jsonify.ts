/**
 * The type that a value has after it went through JSON: a Date is a text, what has `toJSON` is what that returns,
 * properties that may be undefined may be absent, functions and symbols are gone. What is refused at run time
 * (`Map`, `Set`, `bigint`, a function by itself) is `never`.
 */

export type Jsonify<T> =
  IsAny<T> extends true
    ? // biome-ignore lint/suspicious/noExplicitAny: what nobody typed stays so
      any
    : unknown extends T
      ? unknown
      : JsonOf<T>

type JsonOf<T> = T extends string | number | boolean | null
  ? T
  : T extends void
    ? undefined
    : T extends Refused
      ? never
      : T extends { toJSON(...parameters: never): infer R }
        ? Jsonify<R>
        : T extends readonly unknown[]
          ? { [K in keyof T]: JsonElement<T[K]> }
          : T extends object
            ? Flat<JsonObject<T>>
            : never

type Refused =
  | bigint
  | symbol
  | ((...parameters: never) => unknown)
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | WeakMap<WeakKey, unknown>
  | WeakSet<WeakKey>
  | PromiseLike<unknown>

/** JSON has null where an array has undefined. */
type JsonElement<T> = IsAny<T> extends true ? T : T extends undefined ? null : Jsonify<T>

type JsonObject<T> = { [K in keyof T as AlwaysThere<T, K>]: Jsonify<T[K]> } & {
  [K in keyof T as MaybeAbsent<T, K>]?: Jsonify<Exclude<T[K], undefined>>
}

type AlwaysThere<T, K extends keyof T> = KeptKey<T, K> extends never ? never : IsOptional<T, K> extends true ? never : K

type MaybeAbsent<T, K extends keyof T> = KeptKey<T, K> extends never ? never : IsOptional<T, K> extends true ? K : never

/** Symbols are no keys in JSON, and a property that can only be a function or undefined is never there. */
type KeptKey<T, K extends keyof T> = K extends symbol
  ? never
  : IsAny<T[K]> extends true
    ? K
    : [Exclude<T[K], Dropped | undefined>] extends [never]
      ? [T[K]] extends [never]
        ? K
        : never
      : K

type Dropped = symbol | ((...parameters: never) => unknown)

type IsOptional<T, K extends keyof T> =
  IsAny<T[K]> extends true
    ? IsOptionalKey<T, K>
    : unknown extends T[K]
      ? IsOptionalKey<T, K>
      : undefined extends T[K]
        ? true
        : IsOptionalKey<T, K>

type IsOptionalKey<T, K extends keyof T> =
  // biome-ignore lint/complexity/noBannedTypes: `{}` is what has no required key
  {} extends Pick<T, K> ? (string extends K ? false : number extends K ? false : true) : false

/** One object type of an intersection. */
type Flat<T> = { [K in keyof T]: T[K] }

type IsAny<T> = 0 extends 1 & T ? true : false
