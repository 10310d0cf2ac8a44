/**
 * The id of a supervised child that stands for something with a name of its own, such as a run or the circuit of a
 * model: any text becomes one without a slash, which in a supervisor's paths parts a child from its parent.
 */

export const childIdOf = (name: string): string => name.replaceAll('%', '%25').replaceAll('/', '%2F')

/** What `childIdOf` was given. */
export const nameOfChild = (id: string): string => id.replaceAll('%2F', '/').replaceAll('%25', '%')
