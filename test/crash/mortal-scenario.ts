/**
 * The process that the tests of real deaths start: it lives one scenario on a SQLite store, and kills itself at the
 * write that it is told, or lives to the end and prints how that was.
 *
 *     node --import tsx mortal-scenario.ts <scenario> <store> <outside> [<write> <mode> <statement>]
 */
import { createScenarioWorld, essence, live, type Scenario, scenarios } from '../support/crash-scenarios.ts'
import { type DeathMode, mortalStore } from '../support/mortal-store.ts'
import { momentIn, outsideFile } from '../support/outside-file.ts'

const [index, file = '', outside = '', at, mode, statement] = process.argv.slice(2)
const scenario = scenarios[Number(index)] as Scenario
const told = outsideFile(outside)
const world = createScenarioWorld(scenario, what => told.done(what), momentIn(outside))
const death =
  at === undefined ? undefined : { at: Number(at), mode: mode as DeathMode, statement: Number(statement ?? 1) }
const store = mortalStore(file, death, () => told.time(world.clock.now()))
const result = await live(world, scenario, store, prompt => told.answered(prompt))
process.stdout.write(JSON.stringify({ end: essence(result), statements: store.statements }))
