import { simulatorSuite } from '../../support/simulator-suite.ts'

simulatorSuite('spender', 'kiln', 'kiln in time')
