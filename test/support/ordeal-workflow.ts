/**
 * A workflow of failures, for the simulator: each stage fails in a way of its own, and the rules of its profile are all
 * that keeps it in bounds. Its stages can be undone, and it is cancelled now and then.
 */
import { z } from 'zod'
import { defineProfile, defineWorkflow } from '../../src/index.ts'

const failure = (status: number, headers?: Record<string, string>): Error =>
  Object.assign(new Error(`answered ${status}`), { status, ...(headers ? { headers } : {}) })

/** Takes its time, so that processes die while it runs. */
const undo = { compensate: () => new Promise<void>(resolve => setTimeout(resolve, 120_000)) }

export const ordeal = defineWorkflow({
  name: 'ordeal',
  version: '1',
  profile: defineProfile({
    extends: 'balanced',
    retry: { max: 2 },
    restart: { intensity: 3, period: '30d' },
  }),
})
  .stage('first', undo, ({ step }) => step('first', () => 1))
  // Gives up what it was told too late: the attempt that is heard is the one that still counts.
  .stage('slow', { ...undo, timeout: '2m' }, async ({ attempt, incarnation }) => {
    await new Promise(resolve => setTimeout(resolve, attempt === 1 ? 150_000 : 60_000))
    return `attempt ${attempt}, incarnation ${incarnation}`
  })
  .stage('hopeless', { needs: ['first'], optional: true }, () => {
    throw failure(503)
  })
  .stage('refused', { needs: ['first'], optional: true }, () => {
    throw failure(401)
  })
  .stage('temporary', { needs: ['first'], optional: true, restart: 'temporary' }, () => {
    throw failure(503)
  })
  .stage('parked', { ...undo, needs: ['first'] }, ({ attempt, incarnation }) => {
    if (attempt + incarnation < 4) throw failure(429, { 'retry-after': '90' })
    return incarnation
  })
  .stage('last', { ...undo, needs: ['slow', 'hopeless', 'refused', 'temporary', 'parked'] }, ({ step }) =>
    step('last', () => 'done'),
  )

/** More calls at once than its budget allows, and answers that are never right: all of them are paid for. */
export const spender = defineWorkflow({ name: 'spender', version: '1' })
  .stage('unfit', { optional: true }, async ({ model }) => {
    await model.generate({
      prompt: 'say what is right',
      schema: z.object({ right: z.boolean() }),
      check: () => 'never',
    })
  })
  .stage('costly', async ({ model }) => {
    const keys = ['a', 'b', 'c', 'd', 'e', 'f']
    const answers = await Promise.all(keys.map(key => model.generate({ prompt: `say ${key}`, key })))
    return answers.length
  })
