import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LeaseLostError } from '../../../src/errors.ts'
import { storeFailure } from '../../../src/store/sqlite-errors.ts'

const path = join(tmpdir(), 'holdfast.db')
const said = (properties: object): Error => Object.assign(new Error('it said so'), properties)

test.each([
  [{ errcode: 11 }, 'store_corrupt'],
  [{ errcode: 267 }, 'store_corrupt'],
  [{ errcode: 26 }, 'store_corrupt'],
  [{ errcode: 13 }, 'store_full'],
  [{ code: 'ENOSPC' }, 'store_full'],
  [{ errcode: 8 }, 'store_readonly'],
  [{ errcode: 14 }, 'store_readonly'],
  [{ code: 'EACCES' }, 'store_readonly'],
  [{ code: 'EROFS' }, 'store_readonly'],
  [{ errcode: 10 }, 'store_failed'],
  [{ errcode: 5 }, 'store_failed'],
  [{ code: 'EMFILE' }, 'store_failed'],
])('%o is told as %s', (properties, code) => {
  const cause = said(properties)
  const error = storeFailure(cause, path, 'a commit of 3 runs')
  expect(error).toMatchObject({ name: 'StoreError', code, cause })
  expect(error.message).toContain(`${path} failed during a commit of 3 runs: it said so. `)
})

test('what is no error object is told too', () => {
  expect(storeFailure(null, path, 'a read').message).toContain('failed during a read: null.')
})

test('a refusal in the words of the store stays what it is', () => {
  const refused = new LeaseLostError('taken over')
  expect(storeFailure(refused, path, 'a commit')).toBe(refused)
})
