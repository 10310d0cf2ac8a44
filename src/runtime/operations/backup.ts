/** A copy of a store in a file, by whoever can make one. */
import { OptionsError } from '../../errors.ts'
import type { Store } from '../../store/store.ts'

/** @throws OptionsError for a store that has no file to copy; StoreError */
export async function backupOf(store: Store, file: string): Promise<void> {
  if (typeof file !== 'string' || file === '') throw new OptionsError('backup: must be given the path of a new file')
  if (!store.backup) {
    throw new OptionsError('backup: this store has no file to copy, such as one in memory; use a store in a file')
  }
  await store.backup(file)
}
