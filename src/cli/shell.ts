/** Words as a person can paste them into a shell. */

export const quoted = (text: string): string =>
  /^[\w./@:+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
