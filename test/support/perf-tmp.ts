import { createMachine, createActor } from 'xstate'
import { createSupervisor } from '../../src/supervisor.ts'
import { parseChildSpec } from '../../src/supervisor/child-spec.ts'
const worker = createMachine({ initial: 'on', states: { on: { on: { DONE: 'off' } }, off: { type: 'final' } } })
const round = async (N: number) => {
  const sup = createSupervisor({ intensity: 1e9, children: [] }); await sup.start()
  let t = performance.now(); let out: any = {}
  for (let i = 0; i < N; i++) parseChildSpec({ id: 'c'+i, logic: worker, restart: 'temporary' }, 'never', 'x')
  out.parse = (performance.now() - t) / N * 1000; t = performance.now()
  const as = []; for (let i = 0; i < N; i++) as.push(createActor(worker, {id:'x'+i}).start())
  out.raw = (performance.now() - t) / N * 1000; t = performance.now()
  for (let i = 0; i < N; i++) sup.startChild({ id: 'c'+i, logic: worker, restart: 'temporary' })
  out.start = (performance.now() - t) / N * 1000; t = performance.now()
  const refs = []; for (let i = 0; i < N; i++) refs.push(sup.child('c'+i))
  out.ref = (performance.now() - t) / N * 1000; t = performance.now()
  for (const a of as) a.send({type:'DONE'})
  out.rawDone = (performance.now() - t) / N * 1000; t = performance.now()
  for (const r of refs) r.send({type:'DONE'})
  out.done = (performance.now() - t) / N * 1000; t = performance.now()
  console.log(N, JSON.stringify(out))
}
for (let k = 0; k < 6; k++) await round(10000)
await round(40000)
