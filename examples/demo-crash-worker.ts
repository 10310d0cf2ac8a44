/**
 * The process that reviews in `demo:crash`: it starts the run, or goes on with it where it is begun, and stays until it
 * has ended. Arguments: the store, the id of the run, and the addresses of two providers.
 */
import { bundledWorkflow } from '../src/bundled/index.ts'
import { builtInProfiles, createRuntime, defineProfile, openaiCompatible, type ProfileName } from '../src/index.ts'

const [store = '', id = '', first = '', second = ''] = process.argv.slice(2)
const review = bundledWorkflow('code-review')
const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 5 }
const provider = (name: string, url: string) =>
  openaiCompatible({ id: name, baseURL: `${url}/v1`, models: [{ id: 'reviewer', tier: 'capable', price }] })

/** As they are, with circuits that open for a second and not for thirty: nobody wants to wait for a demonstration. */
const profiles = Object.fromEntries(
  (Object.keys(builtInProfiles) as ProfileName[]).map(name => [
    name,
    defineProfile({ extends: name, name, circuit: { openTime: '1s', successThreshold: 1 } }),
  ]),
)

const runtime = await createRuntime({
  store,
  workflows: [review],
  providers: [provider('first', first), provider('second', second)],
  profiles,
  logger: false,
})
const input = { path: '.', include: ['src'], maxChunks: 100 }
const run = await runtime.start(review as never, input as never, { id })
await run.result()
await runtime.close()
