/**
 * The secrets that the environment holds, to be taken out of what leaves the machine: the values of variables whose
 * names say key, token, secret or password. Short ones are left: they would take out ordinary words.
 */
const namesSecret = /KEY|TOKEN|SECRET|PASSWORD/i
const shortest = 6

/** @param environment default: this process's */
export function secretValues(environment: NodeJS.ProcessEnv = process.env): string[] {
  return Object.entries(environment)
    .filter(([name, value]) => namesSecret.test(name) && (value?.trim().length ?? 0) >= shortest)
    .map(([, value]) => (value as string).trim())
}
