import { simulatorSuite } from '../../support/simulator-suite.ts'

simulatorSuite('checkup', 'code-review', 'summarize', 'develop', 'build')
