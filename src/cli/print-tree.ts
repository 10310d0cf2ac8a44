/** The supervision tree as indented lines: `├─ stage collect  attempting, attempt 2`. */
import type { TreeNode } from '../index.ts'

export function treeLines(node: TreeNode): string[] {
  return [lineOf(node), ...below(node, '')]
}

function below(node: TreeNode, indent: string): string[] {
  return node.children.flatMap((child, index) => {
    const isLast = index === node.children.length - 1
    return [`${indent}${isLast ? '└─' : '├─'} ${lineOf(child)}`, ...below(child, `${indent}${isLast ? '   ' : '│  '}`)]
  })
}

function lineOf({ id, type, status, state, attempt, incarnation, restarts, waits, rule }: TreeNode): string {
  const facts = [
    state === undefined ? status : stateText(state),
    attempt !== undefined && attempt > 1 ? `attempt ${attempt}` : '',
    incarnation !== undefined && incarnation > 1 ? `incarnation ${incarnation}` : '',
    restarts ? `restarted ${restarts} ${restarts === 1 ? 'time' : 'times'}` : '',
    waits ? `waited ${waits} ${waits === 1 ? 'time' : 'times'}` : '',
    rule === undefined ? '' : `last rule ${rule}`,
  ]
  const name = id.startsWith(`${type}:`) ? id.replace(':', ' ') : `${type} ${id}`
  return `${name}  ${facts.filter(fact => fact !== '').join(', ')}`
}

/** `open.running`, or `{ a, b }` for parallel ones. */
function stateText(state: unknown): string {
  if (state === null || typeof state !== 'object') return String(state)
  const parts = Object.entries(state).map(([name, inner]) => (isEmpty(inner) ? name : `${name}.${stateText(inner)}`))
  return parts.length === 1 ? (parts[0] as string) : `{ ${parts.join(', ')} }`
}

const isEmpty = (value: unknown): boolean =>
  value !== null && typeof value === 'object' && Object.keys(value).length === 0
