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

type Asked = Partial<Pick<ModelRequest, 'messages' | 'tools' | 'schema' | 'maxOutputTokens'>>

const nothing: readonly never[] = []

export function needsOf(request: Asked, asked: readonly CapabilityName[] = nothing): RequestNeeds {
  const { messages = nothing, tools, schema, maxOutputTokens } = request
  const following: CapabilityName[] = []
  if (tools !== undefined && Object.keys(tools).length > 0) following.push('tools')
  if (schema !== undefined) following.push('json')
  if (messages.some(hasImage)) following.push('vision')
  return {
    inputTokens: estimatedTokens(request),
    outputTokens: maxOutputTokens,
    capabilities: asked.length === 0 ? following : [...new Set([...asked, ...following])],
    asked,
  }
}

function estimatedTokens({ messages = nothing, tools, schema }: Asked): number {
  let characters = 0
  let images = 0
  for (const { content } of messages) {
    if (typeof content === 'string') characters += content.length
    else {
      const written = content.filter(part => !isImage(part))
      images += content.length - written.length
      characters += JSON.stringify(written).length
    }
  }
  if (tools !== undefined) characters += JSON.stringify(tools).length
  if (schema !== undefined) characters += JSON.stringify(schema).length
  return Math.ceil(characters / charactersPerToken) + images * tokensPerImage
}

const hasImage = ({ content }: Message): boolean => typeof content !== 'string' && content.some(isImage)

const isImage = (part: MessagePart): boolean =>
  part.type === 'image' || (part.type === 'file' && part.mediaType.startsWith('image/'))
