/** `machines/README.md`: a line and a picture of each machine, made from the machines themselves. */
import { drawMachine } from './draw-machine.ts'
import { type MachineModule, readMachines } from './machines.ts'

export const picturesFile = 'machines/README.md'

const introduction = `# Machines

Every decision of Holdfast is made by one of these machines; the runtime feeds them facts and carries out what they
decide. They are pure: no I/O, no clock and no chance of their own, which come in events. The pictures are made from the
machines by \`npm run draw\`, and a test fails when they differ. A loop changes no state; an arrow with an event that
begins at the dot inside a state is a transition of that state itself.
`

export async function machinePictures(): Promise<string> {
  const machines = await readMachines()
  return [introduction, ...machines.map(section)].join('\n')
}

function section({ file, machine }: MachineModule): string {
  const name = file.split('/').at(-1)
  return `## ${machine.id}\n\n[\`${name}\`](${name}): ${machine.config.description}\n\n\`\`\`mermaid\n${drawMachine(machine)}\n\`\`\`\n`
}
