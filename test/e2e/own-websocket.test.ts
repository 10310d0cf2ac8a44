import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { projectRoot } from '../support/import-graph.ts'
import { webSocketServer } from '../support/websocket-peer.ts'

test('resilientWebSocket comes back over the WebSocket that Node has itself', async () => {
  const server = await webSocketServer(undefined, (connection, handshake) => {
    connection.send(handshake === 1 ? 'first' : 'second')
    if (handshake === 1) connection.close(1012, 'restarting')
  })
  try {
    const client = join(projectRoot, 'test/support/websocket-echo-client.mjs')
    // Node 20 has it behind this flag; later ones take the flag too.
    const { stdout } = await promisify(execFile)(process.execPath, ['--experimental-websocket', client, server.url])
    expect(JSON.parse(stdout)).toEqual(['open 1', 'first', 'lost 1012', 'open 2', 'second', 'closed'])
    expect(server.connections[0]?.received).toEqual(['hello'])
  } finally {
    await server.close()
  }
})
