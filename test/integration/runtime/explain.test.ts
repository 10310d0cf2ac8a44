/** What `explain` says of a run: the story, the rules, the cause, what is next and what to do. */
import { describe, expect, it } from 'vitest'
import { ProviderError, RunNotFoundError } from '../../../src/errors.ts'
import { defineProfile } from '../../../src/resilience/define-profile.ts'
import { createClient } from '../../../src/runtime/client.ts'
import { eventOf } from '../../../src/runtime/commits/journal-feed.ts'
import { createDecisionReplay } from '../../../src/runtime/explain/replay.ts'
import { scriptedProvider } from '../../../src/testing/scripted-provider.ts'
import { defineWorkflow } from '../../../src/workflow/define-workflow.ts'
import { createWorld, settle } from '../../support/runtime-world.ts'

const begin = () => defineWorkflow({ name: 'w', version: '1', profile: 'balanced' })

async function failedRun() {
  const world = createWorld()
  const runtime = await world.open({ remedies: { clean: () => {} } })
  const workflow = begin()
    .stage('fine', () => 1)
    .map('each', { over: () => ['a', 'b', 'c'], key: (item: string) => item, optional: true }, ({ item }) => {
      if (item === 'b') throw new Error('cannot read b', { cause: new Error('no such file') })
      return item
    })
    .stage(
      'last',
      {
        remedies: ['clean'],
        fallback: () => {
          throw new Error('nothing instead')
        },
      },
      () => {
        throw new ProviderError('it is down', { kind: 'server_error' })
      },
    )
  const run = await runtime.start(workflow, undefined, { id: 'r' })
  await settle(world.clock, run.result())
  return { world, runtime }
}

describe('the explanation of a failed run', () => {
  it('tells what mattered in order, each decision with its rule, counters and alternatives', async () => {
    const { runtime } = await failedRun()
    const explained = await runtime.explain('r')
    expect(explained).toMatchObject({ runId: 'r', workflow: 'w', status: 'failed', leftOut: 0 })
    const told = explained.story.flatMap(({ stage, decisions }) => decisions.map(({ rule }) => [stage, rule].join(' ')))
    expect(told).toEqual([
      'each[b] restart',
      'each[b] degrade',
      'last retry',
      'last remedy',
      ...Array.from({ length: 3 }, () => ['last restart', 'last retry']).flat(),
      'last fallback',
      'last fail',
    ])
    const restart = explained.story.find(({ decisions }) => decisions[0]?.rule === 'restart')
    expect(restart).toMatchObject({
      stage: 'each[b]',
      times: 3,
      attempt: 1,
      lastAttempt: 3,
      text: expect.stringMatching(/^attempts 1 to 3 of stage 'each\[b\]' failed/),
      decisions: [{ counters: { spent: 3, intensity: 3 }, alternatives: ['degrade', 'fail'] }],
    })
    expect(explained.story.at(-1)).toMatchObject({ type: 'run.failed' })
    await runtime.close()
  })

  it('follows the cause to its root, past the fallback that failed, too', async () => {
    const { runtime } = await failedRun()
    expect((await runtime.explain('r')).causes).toMatchObject([
      { name: 'Error', message: 'nothing instead' },
      { name: 'ProviderError', kind: 'server_error', message: 'it is down' },
    ])
    expect((await runtime.explain('r', { stage: 'each' })).causes).toMatchObject([
      { message: 'cannot read b' },
      { message: 'no such file' },
    ])
    await runtime.close()
  })

  it('names what a fallback was to make up for, though the fallback failed with a cause of its own', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const fallback = (): never => {
      throw new Error('nothing kept', { cause: new Error('no disk') })
    }
    const workflow = begin().stage('a', { restart: 'temporary', fallback }, (): never => {
      throw new Error('broken')
    })
    await settle(world.clock, (await runtime.start(workflow, undefined, { id: 'r' })).result())
    const { causes } = await runtime.explain('r')
    expect(causes.map(({ message }) => message)).toEqual(['nothing kept', 'no disk', 'broken'])
    await runtime.close()
  })

  it('counts the items without trouble, and gives the exact commands', async () => {
    const { runtime } = await failedRun()
    const explained = await runtime.explain('r', { command: text => `hf ${text} --dir d` })
    expect(explained.stages.map(({ name, standing }) => `${name} ${standing}`)).toEqual([
      'fine done',
      'each done',
      'each[b] lost',
      'last failed',
    ])
    expect(explained.stages[1]).toMatchObject({ quiet: 2 })
    expect(explained.commands.map(({ command }) => command)).toEqual(['hf retry r --dir d', 'hf runs events r --dir d'])
    expect(explained.next).toEqual([{ text: 'nothing happens by itself any more' }])
    await runtime.close()
  })

  it('reads as prose, of the whole run or of one stage', async () => {
    const { runtime } = await failedRun()
    const { text } = await runtime.explain('r')
    for (const part of [
      "Run r of workflow 'w' (version 1)",
      'failed after',
      "in stage 'last'",
      'each: done (2 items without trouble)',
      'tried again after',
      "attempts 1 to 3 of stage 'each[b]' failed",
      'restart',
      '2 of 3 restarts within 1h 00m used',
      "remedy 'clean' applied",
      'its fallback failed too',
      'caused by ProviderError (server_error',
      'holdfast retry r',
    ])
      expect(text).toContain(part)
    const { text: ofStage } = await runtime.explain('r', { stage: 'each[b]' })
    expect(ofStage).toContain('cannot read b')
    expect(ofStage).not.toContain("remedy 'clean'")
    await runtime.close()
  })

  it('is refused for a run or a stage that is not there, with the nearest that is', async () => {
    const { runtime } = await failedRun()
    await expect(runtime.explain('other')).rejects.toThrow(RunNotFoundError)
    await expect(runtime.explain('r', { stage: 'lst' })).rejects.toThrow(/no stage 'lst'.*did you mean 'last'/)
    await expect(runtime.explain('r', { stages: 'x' } as never)).rejects.toThrow(/did you mean 'stage'/)
    await runtime.close()
  })
})

describe('the explanation of a run that has not ended', () => {
  it('says when a parked stage starts again and what it has left, beside the owner, too', async () => {
    const world = createWorld()
    const provider = scriptedProvider([{ status: 429, headers: { 'retry-after': '600' } }, 'fine'], {
      clock: world.clock,
    })
    const runtime = await world.open({ providers: [provider] })
    const run = await runtime.start(begin().stage('ask', ({ model }) => model.generate({ prompt: 'p' })))
    await world.clock.advance('1m')
    const client = createClient({ store: world.store })
    const explained = await client.explain(run.id)
    expect(explained).toEqual(await runtime.explain(run.id))
    expect(explained).toMatchObject({
      status: 'waiting',
      causes: [{ name: 'ProviderError', kind: 'rate_limit' }, {}],
      next: [{ stage: 'ask', left: { retries: 2, restarts: 3, waits: 9 } }],
    })
    expect(explained.next[0]?.dueAt).toBe(explained.startedAt + 600_000)
    expect(explained.commands[0]?.command).toBe(`holdfast runs tail ${run.id}`)
    await settle(world.clock, run.result())
    const after = await runtime.explain(run.id)
    expect(after).toMatchObject({ status: 'completed', causes: [] })
    expect(after.text).toContain("stage 'ask' succeeded after all")
    await runtime.close()
  })

  it('says which signal it waits for and how to send it', async () => {
    const world = createWorld()
    const { z } = await import('zod')
    const workflow = defineWorkflow({ name: 'w', version: '1', signals: { go: z.object({}) } }).stage(
      'gate',
      ({ waitFor }) => waitFor('go'),
    )
    const runtime = await world.open()
    const run = await runtime.start(workflow, undefined, { id: 'r' })
    await world.clock.advance(1)
    const explained = await runtime.explain('r')
    expect(explained.next[0]?.text).toBe("stage 'gate' waits for signal 'go'")
    expect(explained.commands[0]).toMatchObject({ command: "holdfast signal r go '<JSON>'" })
    await run.cancel('enough')
    await run.result()
    expect((await runtime.explain('r')).story.map(({ text }) => text)).toContain('cancelled: enough')
    await runtime.close()
  })

  it('tells of the process that died, and that nobody has the run now', async () => {
    const world = createWorld()
    const workflow = begin().stage('work', ({ incarnation }) =>
      incarnation === 1 ? new Promise(() => {}) : incarnation,
    )
    const first = await world.open({ workflows: [workflow] })
    await first.start(workflow, undefined, { id: 'r' })
    await world.clock.advance(1)
    await first.close()
    const client = createClient({ store: world.store })
    const alone = await client.explain('r')
    expect(alone.next[0]?.text).toContain('no process has the store')
    expect(alone.commands[0]?.command).toBe('holdfast resume r')
    const second = await world.open({ workflows: [workflow] })
    await settle(world.clock, (await second.get('r')).result())
    expect((await second.explain('r')).text).toContain('a new process took the run up')
    await second.close()
  })
})

describe('a long story', () => {
  it('keeps its beginning and its end, and says how much is left out between them', async () => {
    const world = createWorld()
    const runtime = await world.open()
    const workflow = defineWorkflow({
      name: 'w',
      version: '1',
      profile: defineProfile({ restart: { intensity: 0 } }),
    }).map('each', { over: () => Array.from({ length: 500 }, (_, index) => index), optional: true }, ({ item }) => {
      throw new Error(`failed on ${item}`)
    })
    const run = await runtime.start(workflow)
    await settle(world.clock, run.result())
    const explained = await runtime.explain(run.id)
    expect(explained.story).toHaveLength(120)
    expect(explained.leftOut).toBeGreaterThan(300)
    expect(explained.story[0]).toMatchObject({ type: 'run.started' })
    expect(explained.story.at(-1)).toMatchObject({ type: 'run.completed' })
    expect(explained.text).toContain(`${explained.leftOut} more`)
    expect(explained.text).toContain(`… and ${explained.stages.length - 40} more`)
    await runtime.close()
  })
})

describe('decisions made again from the journal', () => {
  it('are those of the journal, and one that was tampered with is found', async () => {
    const { world, runtime } = await failedRun()
    const { decisions } = await runtime.explain('r')
    expect(decisions).toEqual({ checked: 18, differences: [] })
    const rows = (await world.store.readJournal('r')).map(row => eventOf('r', row))
    const tampered = rows.map(row => {
      const { counters } = row.data as { counters?: object }
      return row.type === 'retry.decided'
        ? { ...row, data: { ...row.data, counters: { ...counters, retries: 9 } } }
        : row
    })
    const replay = createDecisionReplay()
    for (const row of tampered) replay.take(row)
    expect(replay.differences).toHaveLength(rows.filter(({ type }) => type === 'retry.decided').length)
    expect(replay.differences[0]).toMatchObject({ recorded: expect.stringContaining('9 retries') })
    await runtime.close()
  })

  it('are said to differ, in words, where the journal does not add up', async () => {
    const { world, runtime } = await failedRun()
    const readJournal: typeof world.store.readJournal = async (runId, options) =>
      (await world.store.readJournal(runId, options)).map(row =>
        row.type === 'restart.decided' ? { ...row, data: row.data.replace('"rule":"restart"', '"rule":"retry"') } : row,
      )
    const client = createClient({ store: Object.create(world.store, { readJournal: { value: readJournal } }) })
    const { decisions, text } = await client.explain('r')
    expect(decisions.differences.length).toBeGreaterThan(0)
    expect(text).toContain('What does not add up')
    expect(text).toMatch(/the journal says retry at attempt 2.*the machine decides restart at attempt 2/)
    await runtime.close()
  })
})
