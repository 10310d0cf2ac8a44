import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { projectRoot, sourceFiles } from '../support/import-graph.ts'
import { type PackedProject, packProject } from '../support/packed-project.ts'

let project: PackedProject

beforeAll(() => {
  project = packProject()
})

afterAll(() => project?.remove())

/** Runs a module in the empty directory and gives what it printed. */
function run(source: string): string {
  const file = join(project.directory, 'user.mjs')
  writeFileSync(file, source)
  return execFileSync(process.execPath, [file], { cwd: project.directory, encoding: 'utf8' })
}

describe('the package', () => {
  it('holds the built program, its types and its documents', () => {
    expect(project.files).toEqual(
      expect.arrayContaining([
        'package.json',
        'LICENSE',
        'README.md',
        'CHANGELOG.md',
        'dist/src/index.js',
        'dist/src/index.d.ts',
        'dist/machines/supervisor.machine.js',
      ]),
    )
  })

  it('holds nothing else', () => {
    const others = project.files.filter(
      file =>
        !/^(?:package\.json|LICENSE|README\.md|CHANGELOG\.md|dist\/(?:src|machines)\/.*\.(?:js|d\.ts|js\.map))$/.test(
          file,
        ),
    )
    expect(others).toEqual([])
  })

  it('holds every source file, built', () => {
    const built = sourceFiles('src', 'machines').map(file => `dist/${file.replace(/\.ts$/, '.js')}`)
    expect(project.files).toEqual(expect.arrayContaining(built))
  })

  it.each([
    ['holdfast', ['createRuntime', 'defineWorkflow', 'workflowFromMachine', 'createSupervisor', 'classifyError']],
    ['holdfast/supervisor', ['createSupervisor', 'SupervisorError']],
    ['holdfast/resilience', ['createResilience', 'createCircuit', 'classifyError', 'withFallback']],
    ['holdfast/testing', ['faultyStore', 'scriptedProvider', 'seededRandom', 'storeConformance', 'virtualClock']],
    ['holdfast/machines/supervisor', ['supervisorMachine']],
    ['holdfast/machines/workflow', ['workflowMachine']],
    ['holdfast/machines/stage', ['stageMachine']],
    ['holdfast/machines/map', ['mapMachine']],
    ['holdfast/machines/circuit', ['circuitMachine']],
    ['holdfast/machines/health-monitor', ['healthMonitorMachine']],
    ['holdfast/machines/degradation', ['degradationMachine']],
  ])('gives %s to an empty project', (subpath, names) => {
    const exported = JSON.parse(
      run(`import * as all from '${subpath}'\nconsole.log(JSON.stringify(Object.keys(all)))`),
    ) as string[]
    expect(exported).toEqual(expect.arrayContaining(names))
  })

  it('can be bundled as a CommonJS module', () => {
    const [source, bundle] = [join(project.directory, 'bundled.mjs'), join(project.directory, 'bundled.cjs')]
    writeFileSync(source, "import { sqliteStore } from 'holdfast'\nconsole.log(typeof sqliteStore('x.db').commit)")
    const bundler = join(projectRoot, 'node_modules/.bin/esbuild')
    const options = ['--bundle', '--platform=node', '--format=cjs', '--log-level=error', `--outfile=${bundle}`]
    execFileSync(bundler, [source, ...options, '--external:@photostructure/sqlite'], { stdio: 'pipe' })
    expect(execFileSync(process.execPath, [bundle], { encoding: 'utf8' })).toBe('function\n')
  })

  it('checks a machine where fast-check is not installed, and says so where it is needed', () => {
    const printed = run(`
      import { bundledWorkflow } from 'holdfast'
      import { bundledWorld, checkMachine, eventsOf, simulate } from 'holdfast/testing'
      import { setup } from 'xstate'
      const light = setup({}).createMachine({ id: 'light', initial: 'a', states: { a: { after: { 9: 'b' }, on: { GO: 'b' } }, b: {} } })
      let said = ''
      try { eventsOf(light) } catch (error) { said = error.message }
      const simulated = await simulate(await bundledWorkflow('checkup'), await bundledWorld('checkup')).catch(error => error.message)
      console.log(JSON.stringify({ trace: checkMachine(light).trace, said, simulated }))
    `)
    expect(JSON.parse(printed)).toEqual({
      trace: [{ type: 'holdfast.crash' }, { type: 'holdfast.time', ms: 9 }],
      said: 'eventsOf needs fast-check, which is not installed: npm install --save-dev fast-check',
      simulated: 'stages.preflight needs fast-check, which is not installed: npm install --save-dev fast-check',
    })
  })

  it('runs a workflow in an empty project', () => {
    const printed = run(`
      import { createRuntime, defineWorkflow } from 'holdfast'
      const hello = defineWorkflow({ name: 'hello', version: '1' }).stage('greet', ({ input }) => 'hello ' + input.name)
      const runtime = await createRuntime({ workflows: [hello] })
      const run = await runtime.start(hello, { name: 'kelp' })
      const { success, output } = await run.result()
      await runtime.close()
      console.log(JSON.stringify({ success, output }))
    `)
    expect(JSON.parse(printed)).toEqual({ success: true, output: 'hello kelp' })
  })
})
