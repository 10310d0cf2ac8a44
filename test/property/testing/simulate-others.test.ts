import { simulatorSuite } from '../../support/simulator-suite.ts'

simulatorSuite('kiln', 'kiln in time', 'checkup')
