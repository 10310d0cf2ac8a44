import type { AnyActorLogic } from 'xstate'

/** `base` with some of its methods replaced; everything else is found through the prototype. */
export function overriding<TLogic extends AnyActorLogic>(base: TLogic, methods: Record<string, unknown>): TLogic {
  return Object.create(
    base,
    Object.fromEntries(Object.entries(methods).map(([name, value]) => [name, { value, enumerable: true }])),
  )
}
