import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { type AnyStateMachine, setup } from 'xstate'
import { defineWorkflow, type WorkflowBuilder } from '../../../src/workflow/define-workflow.ts'
import { type AnyWorkflow, definitionOf } from '../../../src/workflow/definition.ts'
import { workflowFromMachine } from '../../../src/workflow/own-machine.ts'
import { stageActor } from '../../../src/workflow/stage-actor.ts'

const run = () => 1
const hashOf = (workflow: AnyWorkflow): string => definitionOf(workflow).hash
const begin = (): WorkflowBuilder => defineWorkflow({ name: 'w', version: '1' })
const base = () => begin().stage('a', { timeout: '1s' }, run).stage('b', run)

describe('the hash of a definition', () => {
  it.each<[string, AnyWorkflow]>([
    ['another option', begin().stage('a', { timeout: '2s' }, run).stage('b', run)],
    ['an output', base().output(() => 1)],
  ])('is the same with %s, as a run can go on with it', (_, workflow) => {
    expect(hashOf(workflow)).toBe(hashOf(base()))
  })

  it('is 16 hex digits', () => {
    expect(hashOf(base())).toMatch(/^[0-9a-f]{16}$/)
  })

  it('is the same for the same definition, whatever its functions do and however it is written', () => {
    const other = begin()
      .stage('a', { optional: false, timeout: 1000 }, () => 'something else')
      .stage('b', { needs: ['a'], description: 'only words' }, run)
    expect(hashOf(other)).toBe(hashOf(base()))
  })

  it('is the same in another process', () => {
    const program = `
      import { defineWorkflow } from './src/workflow/define-workflow.ts'
      import { definitionOf } from './src/workflow/definition.ts'
      const workflow = defineWorkflow({ name: 'w', version: '1' }).stage('a', { timeout: '1s' }, () => 1).stage('b', () => 1)
      process.stdout.write(definitionOf(workflow).hash)`
    const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program])
    expect(output.toString()).toBe(hashOf(base()))
  })

  it.each<[string, AnyWorkflow]>([
    ['a stage more', base().stage('c', run)],
    ['other needs', begin().stage('a', { timeout: '1s' }, run).stage('b', { needs: [] }, run)],
    [
      'a map in place of a stage',
      begin()
        .stage('a', { timeout: '1s' }, run)
        .map('b', { over: () => [] }, run),
    ],
    ['another name', defineWorkflow({ name: 'v', version: '1' }).stage('a', { timeout: '1s' }, run).stage('b', run)],
  ])('is another one with %s', (_, workflow) => {
    expect(hashOf(workflow)).not.toBe(hashOf(base()))
  })
})

describe('the hash of a machine of one’s own', () => {
  const own = (config: object, options: { timeout?: string } = {}) =>
    workflowFromMachine({
      name: 'own',
      version: '1',
      machine: setup({
        actors: { collect: stageActor(options, run) },
        guards: { isReady: () => true, isLate: () => false },
      }).createMachine({ id: 'own', initial: 'a', ...config } as never) as unknown as AnyStateMachine,
    })
  const states = (always: object) => ({
    states: { a: { invoke: { src: 'collect', id: 'collect', onDone: 'b' } }, b: { always }, c: {} },
  })
  const config = states({ target: 'c', guard: 'isReady' })

  it('is the same for the same machine', () => {
    expect(hashOf(own(config))).toBe(hashOf(own(config)))
  })

  it('is another one for another transition or guard', () => {
    const hashes = [
      own(config),
      own(states({ target: 'a', guard: 'isReady' })),
      own(states({ target: 'c', guard: 'isLate' })),
      own({ ...config, on: { GO: '.c' } }),
    ].map(hashOf)
    expect(new Set(hashes).size).toBe(hashes.length)
  })
})
