/** A check that a health monitor makes: one thing that runs depend on. */

export interface HealthCheck {
  readonly name: string
  /** A critical check that finds a fault fails the preflight of a stage; another one only degrades. @default false */
  readonly critical?: boolean | undefined
  /** At most so long, ms. @default 5000 */
  readonly timeoutMs?: number | undefined
  /** Says what it found. What it throws counts as unhealthy. */
  check(context: { readonly cwd: string; readonly signal: AbortSignal }): Promise<HealthFinding> | HealthFinding
}

export interface HealthFinding {
  readonly healthy: boolean
  readonly message: string
}
