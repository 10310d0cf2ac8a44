import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { parseOptions } from '../../src/options.ts'

const schema = z.strictObject({
  path: z.string().min(1),
  limit: z.number().min(0).max(10).optional(),
  tags: z.array(z.string()).min(2).optional(),
  own: z.string({ error: 'must be the name of a planet' }).optional(),
})

describe('what is said of an option', () => {
  it.each([
    [{}, 'x: path: is missing; it must be a string'],
    [{ path: 5 }, 'x: path: must be a string, and is a number'],
    [{ path: null }, 'x: path: must be a string, and is null'],
    [{ path: '' }, 'x: path: must not be empty'],
    [{ path: 'a', limit: -1 }, 'x: limit: must be at least 0'],
    [{ path: 'a', limit: 11 }, 'x: limit: must be at most 10'],
    [{ path: 'a', tags: ['one'] }, 'x: tags: must have at least 2 items'],
    [{ path: 'a', own: 5 }, 'x: own: must be the name of a planet'],
    [{ pathh: 'a' }, "x: unknown option 'pathh'; did you mean 'path'?"],
    [5, 'x: must be an object, and is a number'],
  ])('%j: %s', (given, said) => {
    expect(() => parseOptions(schema, given, 'x')).toThrow(new RegExp(`^${said.replace(/[?.*+()[\]{}]/g, '\\$&')}$`))
  })
})
