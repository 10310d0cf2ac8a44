import { simulatorSuite } from '../../support/simulator-suite.ts'

simulatorSuite('torture')
