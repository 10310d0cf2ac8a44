import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { OptionsError } from '../../../src/errors.ts'
import { defineWorkflow, type WorkflowBuilder } from '../../../src/workflow/define-workflow.ts'
import { definitionOf, isWorkflow, sourceOf, withSource } from '../../../src/workflow/definition.ts'

const run = () => 1
const begin = (): WorkflowBuilder => defineWorkflow({ name: 'w', version: '1' })
// biome-ignore lint/suspicious/noExplicitAny: wrong options are what is tested
const loose = (): any => begin()

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError)
    return (error as Error).message
  }
  throw new Error('nothing was refused')
}

describe('a builder', () => {
  it('is a workflow', () => {
    const workflow = begin().stage('a', run)
    expect(isWorkflow(workflow)).toBe(true)
    expect(definitionOf(workflow)).toMatchObject({ name: 'w', version: '1', origin: 'built' })
  })

  it('is compiled once', () => {
    const workflow = begin().stage('a', run)
    expect(definitionOf(workflow)).toBe(definitionOf(workflow))
  })

  it('has one definition, also when it remembers its file', () => {
    const workflow = begin().stage('a', run)
    const found = withSource(workflow, '/flows/a.ts')
    expect(definitionOf(found)).toBe(definitionOf(workflow))
    expect(sourceOf(found)).toBe('/flows/a.ts')
    expect(found.name).toBe('w')
  })

  it('is not changed by what is added to it', () => {
    const base = begin().stage('a', run)
    const left = base.stage('b', run)
    const right = base.stage('c', run).stage('d', run)
    const names = (workflow: WorkflowBuilder) => [...definitionOf(workflow).stages.keys()]
    expect(names(base)).toEqual(['a'])
    expect(names(left)).toEqual(['a', 'b'])
    expect(names(right)).toEqual(['a', 'c', 'd'])
    expect(names(left.stage('c', run))).toEqual(['a', 'b', 'c'])
    expect(Object.isFrozen(base)).toBe(true)
  })

  it('refuses the stage that would be one too many in parallel where it is written, and points to .map', () => {
    let workflow = begin().stage('first', run)
    for (let stage = 0; stage < 100; stage++) workflow = workflow.stage(`s${stage}`, { needs: ['first'] }, run)
    expect(() => definitionOf(workflow)).not.toThrow()
    const said = refusal(() => workflow.stage('one more', { needs: ['first'] }, run))
    expect(said).toMatch(/^workflow 'w': 101 stages would run in parallel from 's0' on, more than 100; use one \.map/)
  })

  it('takes the function of a fork that has the name of a stage on the other fork', () => {
    const base = begin().stage('a', run)
    base.stage('b', run)
    expect(() => base.stage('b', run)).not.toThrow()
  })

  it('without a stage is refused when it is used and not before', () => {
    const empty = begin()
    expect(refusal(() => definitionOf(empty))).toBe("workflow 'w' has no stage; add one with .stage(name, run)")
  })

  it('fills in defaults and turns durations into milliseconds', () => {
    const workflow = begin()
      .stage('a', { timeout: '10m', warnAfter: 500 }, run)
      .map('b', { over: () => [1] }, run)
    const { stages } = definitionOf(workflow)
    expect(stages.get('a')).toMatchObject({
      kind: 'stage',
      timeoutMs: 600_000,
      warnAfterMs: 500,
      preflight: false,
      optional: false,
      remedies: [],
      restart: 'transient',
    })
    const map = stages.get('b')?.map
    expect(map?.concurrency).toBe(10)
    expect(map?.key('item', 7)).toBe(7)
  })

  it('keeps the header for the runtime', () => {
    const approval = z.object({ ok: z.boolean() })
    const input = z.string()
    const workflow = defineWorkflow({
      name: 'my.flow-1',
      version: '2',
      input,
      task: 'code_review',
      signals: { approval },
      description: 'what it does',
    }).stage('a', run)
    expect(definitionOf(workflow)).toMatchObject({ task: 'code_review', description: 'what it does' })
    expect(definitionOf(workflow).signals.approval).toBe(approval)
    expect(definitionOf(workflow).input).toBe(input)
  })

  it('treats an undefined option as an absent one', () => {
    const stage = definitionOf(loose().stage('a', { timeout: undefined, optional: undefined, needs: undefined }, run))
    expect(stage.stages.get('a')).toMatchObject({ timeoutMs: undefined, optional: false, needs: [] })
  })
})

describe('needs', () => {
  it('are the stage before where nothing is said', () => {
    const { stages } = definitionOf(begin().stage('a', run).stage('b', run).stage('c', run))
    expect([...stages.values()].map(stage => stage.needs)).toEqual([[], ['a'], ['b']])
  })

  it('make ancestors through any number of stages, in the order of definition', () => {
    const workflow = begin()
      .stage('a', run)
      .stage('b', { needs: [] }, run)
      .stage('c', { needs: ['b'] }, run)
      .stage('d', { needs: ['c', 'a'] }, run)
    const { stages } = definitionOf(workflow)
    expect(stages.get('c')?.ancestors).toEqual(['b'])
    expect(stages.get('d')?.ancestors).toEqual(['a', 'b', 'c'])
  })

  it('that are unknown are refused with the nearest name', () => {
    const message = refusal(() =>
      begin()
        .stage('collect', run)
        .stage('b', { needs: ['colect'] }, run),
    )
    expect(message).toContain("stage 'b' of workflow 'w' needs 'colect', and no stage before it has that name")
    expect(message).toContain("did you mean 'collect'?")
  })

  it('that come later are refused', () => {
    expect(refusal(() => begin().stage('a', { needs: ['b'] }, run))).toContain('define that one first')
  })

  it('of a stage on itself are refused as a cycle', () => {
    expect(refusal(() => begin().stage('a', { needs: ['a'] }, run))).toBe(
      "stage 'a' of workflow 'w' needs itself, which is a cycle; take 'a' out of its needs",
    )
  })

  it('that are named twice are refused', () => {
    expect(
      refusal(() =>
        begin()
          .stage('a', run)
          .stage('b', { needs: ['a', 'a'] }, run),
      ),
    ).toContain("names 'a' twice")
  })
})

describe('a stage is refused', () => {
  it('for a name that is taken', () => {
    expect(
      refusal(() =>
        begin()
          .stage('a', run)
          .map('a', { over: () => [] }, run),
      ),
    ).toBe("workflow 'w' has a stage 'a' already; give this one another name")
  })

  it.each(['', 'a.b', 'a/b', '(done)', 'a[1]', ' a', 'a ', 'xstate.done', 'xstate', '__proto__', 'x'.repeat(101), 7])(
    'for the name %j',
    name => {
      refusal(() => loose().stage(name, run))
    },
  )

  it.each(['a', 'A-1', 'with space', '_x', 'Größe', 'constructor', 'toString', 'x'.repeat(100)])(
    'but not for the name %j',
    name => {
      expect(() => definitionOf(begin().stage(name, run))).not.toThrow()
    },
  )

  it('for an unknown option, with the nearest known one', () => {
    expect(refusal(() => loose().stage('a', { timout: 1 }, run))).toBe(
      "stage 'a' of workflow 'w': unknown option 'timout'; did you mean 'timeout'?",
    )
  })

  it.each([
    [{ timeout: 'soon' }, 'timeout'],
    [{ timeout: -1 }, 'timeout'],
    [{ when: true }, 'when'],
    [{ optional: 'yes' }, 'optional'],
    [{ restart: 'permanent' }, 'restart'],
    [{ output: {} }, 'output'],
    [{ needs: 'a' }, 'needs'],
    [{ over: () => [] }, 'over'],
    [null, 'must be an object'],
  ])('for the options %j', (options, name) => {
    expect(refusal(() => loose().stage('b', options, run))).toMatch(new RegExp(`stage 'b' of workflow 'w'.*${name}`))
  })

  it('without a function', () => {
    expect(refusal(() => loose().stage('a'))).toContain('has no function to run')
    expect(refusal(() => loose().stage('a', {}))).toContain('has no function to run')
  })

  it('with its options behind its function', () => {
    expect(refusal(() => loose().stage('a', run, { timeout: 1 }))).toContain('options come before the function')
  })
})

describe('a map is refused', () => {
  it('without over', () => {
    expect(refusal(() => loose().map('m', {}, run))).toBe("stage 'm' of workflow 'w': over: must be a function")
  })

  it.each([0, 101, 1.5, 'many'])('with the concurrency %j', concurrency => {
    expect(refusal(() => loose().map('m', { over: () => [], concurrency }, run))).toContain(
      'concurrency: must be a whole number from 1 to 100',
    )
  })
})

describe('a workflow is refused', () => {
  it.each([
    [{ version: '1' }, 'name'],
    [{ name: '', version: '1' }, 'name'],
    [{ name: 'a b', version: '1' }, 'a b'],
    [{ name: 'w', version: '' }, 'version'],
    [{ name: 'w', version: 1 }, 'version'],
    [{ name: 'w', version: '1', inputs: 1 }, "did you mean 'input'?"],
    [{ name: 'w', version: '1', input: { a: 1 } }, 'zod schema'],
    [{ name: 'w', version: '1', signals: { 'xstate.stop': z.string() } }, 'xstate.stop'],
    [undefined, 'defineWorkflow'],
  ])('for the options %j', (options, part) => {
    expect(refusal(() => defineWorkflow(options as never))).toContain(part)
  })

  it('for an output that is no function', () => {
    expect(refusal(() => loose().stage('a', run).output({}))).toContain('.output takes a function')
  })
})
