/**
 * Images and files in messages. What a part carries is a web address, a data URL or bare base64; providers take one or
 * the other, so it is told apart here, once.
 */
import type { Message, MessagePart } from './provider.ts'

export type Media =
  | { readonly kind: 'address'; readonly url: string; readonly mediaType: string }
  | { readonly kind: 'data'; readonly base64: string; readonly mediaType: string }

export type MediaPart = Extract<MessagePart, { readonly type: 'image' | 'file' }>

/** @param part an image without a media type is taken for PNG, unless its data URL says otherwise */
export function mediaOf(part: MediaPart): Media {
  const source = part.type === 'image' ? part.image : part.data
  const mediaType = part.mediaType ?? 'image/png'
  if (/^https?:\/\//i.test(source)) return { kind: 'address', url: source, mediaType }
  const inUrl = /^data:([^;,]*)(?:;[^,]*)?,(.*)$/is.exec(source)
  if (inUrl) return { kind: 'data', base64: inUrl[2] as string, mediaType: inUrl[1] || mediaType }
  return { kind: 'data', base64: source, mediaType }
}

export const dataUrl = (media: Media): string =>
  media.kind === 'address' ? media.url : `data:${media.mediaType};base64,${media.base64}`

export const partsOf = ({ content }: Message): readonly MessagePart[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : content

export const textOfParts = (parts: readonly MessagePart[]): string =>
  parts.map(part => (part.type === 'text' ? part.text : '')).join('')

/** What a tool gave back, as text: JSON unless it is one already. */
export const toolOutputText = (output: unknown): string =>
  typeof output === 'string' ? output : (JSON.stringify(output) ?? '')
