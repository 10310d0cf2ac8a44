/**
 * A rejection of what a stage's function was given is the function's to handle. When it does not even look (its attempt
 * is over and the promise was left behind), that must not end the process.
 */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
