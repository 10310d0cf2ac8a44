/** Cases about commands: left without a claim, taken by the owner in order, replied to once. */
import assert from 'node:assert/strict'
import type { Command } from '../../store/store.ts'
import { claim, type StoreCase, storeCase } from './store-case.ts'

export const commandCases: readonly StoreCase[] = [
  storeCase('commands can be left before anybody owns the store, and wait in order', async store => {
    await store.enqueueCommand(command('b'))
    await store.enqueueCommand(command('a'))
    assert.deepEqual(await store.pendingCommands(), [command('b'), command('a')])
    await claim(store)
    await store.enqueueCommand(command('c'))
    assert.deepEqual(await store.pendingCommands(), [command('b'), command('a'), command('c')])
  }),

  storeCase('a command that is left twice is one command', async store => {
    await store.enqueueCommand(command('a'))
    await store.enqueueCommand({ ...command('a'), name: 'pause' })
    assert.deepEqual(await store.pendingCommands(), [command('a')])
  }),

  storeCase('a reply takes its command off the list, and the first reply stays', async store => {
    const epoch = await claim(store)
    for (const id of ['a', 'b', 'c']) await store.enqueueCommand(command(id))
    await store.replyToCommand(epoch, 'b', { value: '{"status":"cancelled"}' })
    await store.replyToCommand(epoch, 'a', { error: '{"name":"Error","message":"no"}' })
    await store.replyToCommand(epoch, 'b', { value: '"another"' })
    await store.replyToCommand(epoch, 'unknown', { value: '1' })
    assert.deepEqual(await store.pendingCommands(), [command('c')])
    assert.deepEqual({ ...(await store.readReply('b')) }, { value: '{"status":"cancelled"}' })
    assert.deepEqual({ ...(await store.readReply('a')) }, { error: '{"name":"Error","message":"no"}' })
    assert.equal(await store.readReply('c'), undefined)
    assert.equal(await store.readReply('unknown'), undefined)
    await store.enqueueCommand(command('b'))
    assert.deepEqual(await store.pendingCommands(), [command('c')])
  }),

  storeCase('commands and replies outlive the owner', async store => {
    const first = await claim(store)
    await store.enqueueCommand(command('a'))
    await store.enqueueCommand(command('b'))
    await store.replyToCommand(first, 'a', { value: '1' })
    await store.close()
    await claim(store)
    assert.deepEqual(await store.pendingCommands(), [command('b')])
    assert.deepEqual({ ...(await store.readReply('a')) }, { value: '1' })
  }),

  storeCase('the owner is called when a command is left, until it stops listening', async store => {
    await claim(store)
    let calls = 0
    const heard = new Promise<void>(resolve => {
      const stop = store.onCommands(() => {
        calls++
        stop()
        resolve()
      })
    })
    await store.enqueueCommand(command('a'))
    await heard
    await store.enqueueCommand(command('b'))
    assert.equal(calls, 1)
  }),

  storeCase('closing forgets who listened', async store => {
    await claim(store)
    let calls = 0
    store.onCommands(() => calls++)
    await store.close()
    await claim(store)
    await store.enqueueCommand(command('a'))
    assert.equal(calls, 0)
  }),
]

const command = (id: string): Command => ({ id, name: 'cancel', runId: 'r', args: '{"reason":"é"}', at: 1_000 })
