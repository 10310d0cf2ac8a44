/** `npm run draw`: writes the pictures of the machines. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from './import-graph.ts'
import { machinePictures, picturesFile } from './machine-pictures.ts'

writeFileSync(join(projectRoot, picturesFile), await machinePictures())
