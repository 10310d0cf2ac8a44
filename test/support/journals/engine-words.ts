/**
 * What Node and its engine say in words of their own, which change from version to version: where in a text JSON is
 * broken. Everything else in a journal is ours.
 */
export const withoutEngineWords = (journal: string): string => journal.replaceAll(/ \(line \d+ column \d+\)/g, '')
