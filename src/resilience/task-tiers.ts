/** Which tier a task is given where nobody asks for one. */
import type { Tier } from '../providers/provider.ts'
import type { TaskName } from './profiles.ts'

/** Which tier a task is given where nobody says: what must be right costs more than what must be quick. */
const taskTiers: Readonly<Record<TaskName, Tier>> = {
  security_audit: 'premium',
  code_review: 'capable',
  bug_predict: 'capable',
  refactor_plan: 'capable',
  pr_review: 'capable',
  summarize: 'cheap',
  document_gen: 'cheap',
  research: 'cheap',
}

/** Any other task: `capable`. */
export const tierOfTask = (task: string): Tier =>
  Object.hasOwn(taskTiers, task) ? taskTiers[task as TaskName] : 'capable'
