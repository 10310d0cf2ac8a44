/**
 * What a request needs of the model that answers it: room for its tokens, and what it must be able to do. Tokens are an
 * estimate by the length of the text, made before anybody has counted; it decides who is asked and what is set aside,
 * never what is paid.
 */
import type { Message, MessagePart, ModelRequest } from '../providers/provider.ts'

/** What can be asked of a model by name; see `Capabilities`. */
export const capabilityNames = ['tools', 'json', 'vision', 'streaming'] as const

export type CapabilityName = (typeof capabilityNames)[number]

export interface RequestNeeds {
  /** Estimated tokens of what is sent. */
  readonly inputTokens: number
  /** The most that may be answered, where the request says so. */
  readonly outputTokens: number | undefined
  /** Follows from the request: who is known not to have one is not asked. */
  readonly capabilities: readonly CapabilityName[]
  /** What the caller asks for by name: who is known to have it is asked before who is not. */
  readonly asked: readonly CapabilityName[]
}

/** What text and code take up a token, roughly. */
const charactersPerToken = 4
/** A picture is counted by this, whatever its size: data in base 64 would count as a book. */
const tokensPerImage = 1500

export function needsOf(request: ModelRequest, asked: readonly CapabilityName[] = []): RequestNeeds {
  const { messages, tools, schema, maxOutputTokens } = request
  const capabilities = new Set(asked)
  if (tools !== undefined && Object.keys(tools).length > 0) capabilities.add('tools')
  if (schema !== undefined) capabilities.add('json')
  if (messages.some(hasImage)) capabilities.add('vision')
  return {
    inputTokens: estimatedTokens(request),
    outputTokens: maxOutputTokens,
    capabilities: [...capabilities],
    asked,
  }
}

function estimatedTokens({ messages, tools, schema }: ModelRequest): number {
  let characters = 0
  let images = 0
  for (const { content } of messages) {
    const parts = typeof content === 'string' ? [] : content
    const written = parts.filter(part => !isImage(part))
    images += parts.length - written.length
    characters += typeof content === 'string' ? content.length : JSON.stringify(written).length
  }
  for (const extra of [tools, schema]) if (extra !== undefined) characters += JSON.stringify(extra).length
  return Math.ceil(characters / charactersPerToken) + images * tokensPerImage
}

const hasImage = ({ content }: Message): boolean => typeof content !== 'string' && content.some(isImage)

const isImage = (part: MessagePart): boolean =>
  part.type === 'image' || (part.type === 'file' && part.mediaType.startsWith('image/'))
