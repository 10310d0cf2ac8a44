/** What is a test file, by its name and place: the conventions of the common test runners. */

const script = /\.[cm]?[jt]sx?$/

/** By name or by directory, whatever the language: for judging a file, not for running it. */
export function looksLikeTest(file: string): boolean {
  return isNamedTest(file) || /(?:^|\/)(?:tests?|specs?|__tests__|__mocks__|testing|e2e)\//.test(file)
}

/** A file that every runner of its language would take for a test. */
export function isNamedTest(file: string): boolean {
  const name = file.slice(file.lastIndexOf('/') + 1)
  if (/\.d\.[cm]?ts$/.test(name) || /\.(?:test-d|bench)\.[cm]?tsx?$/.test(name)) return false
  if (script.test(name)) return /[.](?:test|spec)\.[cm]?[jt]sx?$/.test(name) || /(?:^|\/)__tests__\//.test(file)
  return /^test_[^/]*\.py$|_test\.(?:py|go)$/.test(name)
}

/** A script in a test directory that may be a test; what it says inside decides. */
export function mayBeTest(file: string): boolean {
  if (isNamedTest(file) || !script.test(file) || /\.d\.[cm]?ts$/.test(file)) return false
  if (/(?:^|\/)(?:support|helpers?|utils?|lib|mocks?|setup|__mocks__|bench(?:marks?)?)\//.test(file)) return false
  return /(?:^|\/)tests?\//.test(file) || /(?:^|\/)(?:test-[^/]*|[^/]*[-_]test|test)\.[cm]?[jt]s$/.test(file)
}
