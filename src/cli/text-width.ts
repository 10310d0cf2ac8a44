/**
 * Texts as wide as a terminal shows them: colours take no room, and East Asian characters and emoji take two columns.
 */

const colours = new RegExp(`${'\u001b'}\\[[\\d;]*m`, 'g')
const nothing = /^[\p{Mn}\p{Me}\p{Cf}]$/u
const wide =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}]|[\u{20000}-\u{3fffd}])$/u

const widthOfCharacter = (character: string): number => (nothing.test(character) ? 0 : wide.test(character) ? 2 : 1)

export function widthOf(text: string): number {
  const bare = text.replace(colours, '')
  if (/^[ -~]*$/.test(bare)) return bare.length
  let width = 0
  for (const character of bare) width += widthOfCharacter(character)
  return width
}

/** Of a text without colours as much as there is room for; the end of it where `keepsEnd`, as for paths. */
export function cropped(text: string, width: number, keepsEnd = false): string {
  if (widthOf(text) <= width) return text
  const characters = [...text]
  if (keepsEnd) characters.reverse()
  const kept: string[] = []
  let room = width - 1
  for (const character of characters) {
    room -= widthOfCharacter(character)
    if (room < 0) break
    kept.push(character)
  }
  return width < 1 ? '' : keepsEnd ? `…${kept.reverse().join('')}` : `${kept.join('')}…`
}

export const padded = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - widthOf(text)))

/** The words of a text as lines of at most `width`; a longer word has a line of its own, and is whole. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
