import { expectTypeOf, it } from 'vitest'
import type { Jsonify } from '../../src/workflow/jsonify.ts'

it('keeps what JSON keeps', () => {
  expectTypeOf<Jsonify<string>>().toEqualTypeOf<string>()
  expectTypeOf<Jsonify<boolean>>().toEqualTypeOf<boolean>()
  expectTypeOf<Jsonify<'a' | 1 | null>>().toEqualTypeOf<'a' | 1 | null>()
  expectTypeOf<Jsonify<{ a: { b: number }[] }>>().toEqualTypeOf<{ a: { b: number }[] }>()
  expectTypeOf<Jsonify<{ readonly a: 1; b?: 2 }>>().toEqualTypeOf<{ readonly a: 1; b?: 2 }>()
  expectTypeOf<Jsonify<Record<string, number>>>().toEqualTypeOf<Record<string, number>>()
  expectTypeOf<Jsonify<[1, 'a']>>().toEqualTypeOf<[1, 'a']>()
  expectTypeOf<Jsonify<readonly string[]>>().toEqualTypeOf<readonly string[]>()
})

it('makes a text of a Date, and of anything with toJSON what that returns', () => {
  expectTypeOf<Jsonify<Date>>().toEqualTypeOf<string>()
  expectTypeOf<Jsonify<{ at: Date }[]>>().toEqualTypeOf<{ at: string }[]>()
  expectTypeOf<Jsonify<{ a: { toJSON(): { at: Date } } }>>().toEqualTypeOf<{ a: { at: string } }>()
})

it('lets a property that may be undefined be absent, and an element be null', () => {
  expectTypeOf<Jsonify<{ a: string | undefined; b: number }>>().toEqualTypeOf<{ a?: string; b: number }>()
  expectTypeOf<Jsonify<{ a?: Date | undefined }>>().toEqualTypeOf<{ a?: string }>()
  expectTypeOf<Jsonify<(number | undefined)[]>>().toEqualTypeOf<(number | null)[]>()
})

it('keeps undefined for what returns nothing', () => {
  expectTypeOf<Jsonify<void>>().toEqualTypeOf<undefined>()
  expectTypeOf<Jsonify<string | undefined>>().toEqualTypeOf<string | undefined>()
})

it('drops methods, functions and symbols', () => {
  class Finding {
    line = 1
    show(): string {
      return String(this.line)
    }
  }
  const tag = Symbol('tag')
  expectTypeOf<Jsonify<Finding>>().toEqualTypeOf<{ line: number }>()
  expectTypeOf<Jsonify<{ a: 1; b: () => void; c?: symbol; [tag]: 2 }>>().toEqualTypeOf<{ a: 1 }>()
  expectTypeOf(tag).toBeSymbol()
})

it('is never for what is refused', () => {
  expectTypeOf<Jsonify<Map<string, 1>>>().toBeNever()
  expectTypeOf<Jsonify<Set<1>>>().toBeNever()
  expectTypeOf<Jsonify<bigint>>().toBeNever()
  expectTypeOf<Jsonify<() => void>>().toBeNever()
  expectTypeOf<Jsonify<{ a: Map<1, 1> }>>().toEqualTypeOf<{ a: never }>()
})

it('leaves alone what is not known', () => {
  expectTypeOf<Jsonify<unknown>>().toBeUnknown()
  expectTypeOf<Jsonify<never>>().toBeNever()
  expectTypeOf<Jsonify<{ a: unknown; b?: unknown }>>().toEqualTypeOf<{ a: unknown; b?: unknown }>()
  // biome-ignore lint/suspicious/noExplicitAny: any is what is tested
  expectTypeOf<Jsonify<{ a: any }>>().toEqualTypeOf<{ a: any }>()
})

it('goes down recursive types', () => {
  interface Tree {
    at: Date
    children: Tree[]
  }
  type Inner = Jsonify<Tree>['children'][number]['children'][number]
  expectTypeOf<Inner['at']>().toEqualTypeOf<string>()
})
