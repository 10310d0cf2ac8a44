import { describe, expect, it } from 'vitest'
import { exitCodeOfError, exitCodeOfResult } from '../../../src/cli/exit-codes.ts'
import {
  ConfigError,
  HoldfastError,
  OptionsError,
  RunConflictError,
  RunNotFoundError,
  type RunResult,
  StoreError,
  ValidationError,
} from '../../../src/index.ts'

const succeeded = (degraded: { reason: string }[] = []) => ({ success: true, degraded }) as unknown as RunResult
const failed = (error: object, status = 'failed') =>
  ({ success: false, status, degraded: [], error }) as unknown as RunResult
const calm = { lost: 0, strict: false }

describe('exit codes', () => {
  it.each([
    [new OptionsError('x'), 2],
    [new ConfigError('x'), 2],
    [new ValidationError('x'), 2],
    [new RunConflictError('x'), 2],
    [new HoldfastError('run_not_open', 'x'), 2],
    [new RunNotFoundError('x'), 3],
    [new OptionsError('x', { code: 'workflow_not_found' }), 3],
    [new StoreError('store_owned', 'x'), 5],
    [new StoreError('owner_silent', 'x'), 5],
    [new StoreError('store_corrupt', 'x'), 1],
    [new StoreError('store_full', 'x'), 1],
    [new StoreError('store_readonly', 'x'), 1],
    [new Error('a defect'), 1],
    [undefined, 1],
    [{ code: 'ENOENT' }, 1],
  ])('%s', (error, code) => {
    expect(exitCodeOfError(error)).toBe(code)
  })

  it('knows an error of another copy of the package by its code', () => {
    expect(exitCodeOfError(Object.assign(new Error('x'), { code: 'run_not_found' }))).toBe(3)
  })

  it('is 0 for a run that is done, even degraded; 6 where something optional was lost', () => {
    expect(exitCodeOfResult(succeeded(), calm)).toBe(0)
    expect(exitCodeOfResult(succeeded([{ reason: 'no git' }]), calm)).toBe(0)
    expect(exitCodeOfResult(succeeded([{ reason: 'lost' }]), { lost: 1, strict: false })).toBe(6)
  })

  it('is 6 for any degradation when strict, and 0 for none', () => {
    expect(exitCodeOfResult(succeeded([{ reason: 'no git' }]), { lost: 0, strict: true })).toBe(6)
    expect(exitCodeOfResult(succeeded(), { lost: 0, strict: true })).toBe(0)
  })

  it('is 124 for the time of the run, and 1 for that of a stage', () => {
    expect(exitCodeOfResult(failed({ type: 'timeout' }), calm)).toBe(124)
    expect(exitCodeOfResult(failed({ type: 'timeout', stage: 'a' }), calm)).toBe(1)
  })

  it.each(['failed', 'cancelled', 'quarantined', 'budget_exceeded'])('is 1 for a run that ended as %s', status => {
    expect(exitCodeOfResult(failed({ type: 'runtime', stage: 'a' }, status), calm)).toBe(1)
  })
})
