// A process of its own, so that Node 20 can be given its own WebSocket by a flag. Prints what it lived through.
import { resilientWebSocket } from '../../dist/src/resilience.js'

const socket = resilientWebSocket(process.argv[2])
const seen = []
socket.on('open', ({ attempt }) => seen.push(`open ${attempt}`))
socket.on('lost', ({ code }) => seen.push(`lost ${code}`))
socket.on('message', ({ data }) => {
  seen.push(data)
  if (data === 'second') socket.close()
})
socket.send('hello')
const { why } = await socket.closed
console.log(JSON.stringify([...seen, why]))
