/**
 * What a failure shows, read once into plain data: status, headers, codes, reasons, texts, and the chain of causes of
 * what was thrown. It reads wire failures, errors of the usual client libraries and bodies nested in strings, and
 * survives whatever it is given: getters that throw, cycles, wrong types, megabytes.
 */
import { BodyWalk } from './failure-body.ts'
import { httpStatus, isObject, plainHeaders, readField, textOf } from './hostile-fields.ts'

/** A failure as it came over the wire. */
export interface WireFailure {
  readonly status: number | null
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: unknown
  /** What happened to the stream, where there was one: a sentence. */
  readonly stream?: string | undefined
  readonly network?: { readonly name?: unknown; readonly message?: unknown; readonly cause?: unknown } | undefined
}

/** One error of a chain of causes. */
export interface ThrownLink {
  readonly name: string
  readonly message: string
  readonly code: string
}

export interface FailureEvidence {
  /** Whether it is the failure of a call at all: it has a status, a body or headers of an answer. */
  readonly wire: boolean
  readonly status: number | null
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Codes before types, the innermost first; as they were written. */
  readonly codes: readonly string[]
  /** Reasons in details: `reason`, `quotaId`, `blockReason`. */
  readonly reasons: readonly string[]
  /** How a model says that it stopped. */
  readonly finishes: readonly string[]
  /** Sentences meant for people, the innermost first. */
  readonly texts: readonly string[]
  /** Fields that say when to come again, by name in lower case. */
  readonly hints: Readonly<Record<string, unknown>>
  /** The statuses that the body itself speaks of. */
  readonly bodyStatuses: readonly number[]
  readonly bodyEmpty: boolean
  readonly bodyNamesError: boolean
  readonly html: boolean
  readonly stream: string
  readonly chain: readonly ThrownLink[]
}

const longestChain = 32

/**
 * What shows what happened: the failure itself where it was answered or is shaped like an answer, else the first error
 * within it that was. Client libraries, retry loops and users' own code wrap one error in another.
 */
export function carrierOf(failure: unknown, isTelling: (error: object) => boolean): unknown {
  const waiting: object[] = []
  const seen = new Set<unknown>()
  const add = (error: unknown): void => {
    if (!isObject(error) || seen.has(error) || seen.size >= longestChain) return
    seen.add(error)
    waiting.push(error)
  }
  add(failure)
  let said: unknown
  for (let error = waiting.shift(); error !== undefined; error = waiting.shift()) {
    if (isAnswered(error) || (error !== failure && isTelling(error))) return error
    said ??= saidStatus(error) === undefined ? undefined : error
    for (const name of wrappingFields) add(readField(error, name))
    const errors = readField(error, 'errors')
    if (Array.isArray(errors)) add(readField(errors, String(errors.length - 1)))
  }
  // A status in words tells less than an answer: it counts where nothing within was answered.
  return said ?? failure
}

/** Where wrappers keep what they wrap, the most telling first. */
const wrappingFields = ['lastError', 'cause', 'originalError', 'original', 'innerError', 'inner', 'err', 'error']

function isAnswered(error: object): boolean {
  const response = readField(error, 'response') ?? readField(error, '$response')
  return statusOf(error, response) !== null || isShapedAsWire(error)
}

/** A plain object with an answer's fields; an error must have had the chance of a status too. */
function isShapedAsWire(failure: unknown): boolean {
  if (!isObject(failure)) return false
  try {
    const has = (name: string): boolean => name in failure && readField(failure, name) !== undefined
    if (!(failure instanceof Error)) return has('body') || has('stream') || isErrorBody(readField(failure, 'error'))
    if (grpcStatusOf(failure) !== undefined) return true
    // The clients of OpenAI and Anthropic throw an error event of a stream without a status, with its data as `error`.
    const isOfStream = 'status' in failure && isObject(readField(failure, 'error'))
    return isOfStream || (has('status') && (has('body') || has('stream')))
  } catch {
    return false
  }
}

/** What a service says of a failure, thrown as it was parsed: `{ error: { type, message } }`. */
function isErrorBody(error: unknown): boolean {
  const tells = (name: string): boolean => typeof readField(error, name) === 'string'
  return isObject(error) && !(error instanceof Error) && tells('message') && (tells('type') || tells('code'))
}

export function gatherEvidence(failure: unknown): FailureEvidence {
  const response = readField(failure, 'response') ?? readField(failure, '$response')
  const status = statusOf(failure, response) ?? saidStatus(failure) ?? null
  const bodies = [
    readField(failure, 'body'),
    readField(failure, 'responseBody'),
    readField(failure, 'error'),
    readField(failure, 'data'),
    readField(response, 'data'),
    readField(response, 'body'),
  ].filter(body => body !== undefined && body !== null && body !== '')
  const network = readField(failure, 'network')
  const thrown = isObject(network) ? network : failure
  // An error of a client that has the status of a success broke while the answer was read: its causes say at what.
  const brokeOff = failure instanceof Error && status !== null && status < 400
  const chain = status === null || isObject(network) || brokeOff ? readChain(thrown) : []
  const isError = failure instanceof Error
  const wire = status !== null || isShapedAsWire(failure)
  const walk = new BodyWalk()
  for (const body of bodies) walk.visit(body, 0)
  // Client libraries put the answer's body into the message: `429 {"type":"error",…}`.
  if (wire) walk.visitMessage(readField(failure, 'message'))
  if (wire && isError) walk.collectNames(failure)
  const grpcStatus = grpcStatusOf(failure)
  if (grpcStatus !== undefined) walk.addCode(grpcStatus)
  return {
    wire,
    status,
    headers: { ...walk.headers, ...headersOf(failure, response) },
    codes: walk.sorted(walk.codes),
    reasons: walk.sorted(walk.reasons),
    finishes: walk.sorted(walk.finishes),
    texts: walk.sorted(walk.texts),
    hints: walk.hints,
    bodyStatuses: walk.statuses,
    bodyEmpty: bodies.length === 0,
    bodyNamesError: walk.namesError,
    html: walk.html,
    stream: textOf(readField(failure, 'stream')),
    chain,
  }
}

/** Of an error whose message alone has a status, as people word it. */
const saidStatus = (failure: unknown): number | undefined =>
  failure instanceof Error ? httpStatus(statusInMessage(statusOfPeople, failure.message)) : undefined

function statusOf(failure: unknown, response: unknown): number | null {
  const isError = failure instanceof Error
  const candidates = [
    readField(failure, 'status'),
    readField(failure, 'statusCode'),
    readField(failure, 'status_code'),
    readField(response, 'status'),
    readField(response, 'statusCode'),
    readField(readField(failure, '$metadata'), 'httpStatusCode'),
    isError ? readField(failure, 'code') : undefined,
    isError ? statusInMessage(statusOfClients, failure.message) : undefined,
  ]
  for (const candidate of candidates) {
    const status = httpStatus(candidate)
    if (status !== undefined) return status
  }
  return null
}

/** Some clients tell the status in words alone: `[429 Too Many Requests]`, `got status: 503`. */
const statusOfClients =
  /\[([45]\d\d) [A-Z][A-Za-z ]{2,40}\]|\bgot status: ([45]\d\d)\b|\bfailed with status code ([45]\d\d)\b/

/**
 * So does what people throw after a `fetch` of their own: `HTTP 429`, `status: 503`, `503 Service Unavailable`. Of what
 * they asked for nothing is known, so a page that is not there is not taken for a model that is not.
 */
const statusOfPeople =
  /(?:^(?:[Ee]rror code: )?|\b(?:HTTP|http)(?:\/[\d.]{1,3})?(?: [Ee]rror| [Ss]tatus| code| response){0,3}!?[:,]?(?: status:?)? ?\(?|\b[Ss]tatus(?:[ _]?[Cc]ode)?(?: does not indicate success)?[:=]? ?\(?|\bserver response: |\bAPI (?:error|returned):? ?)(40[12378]|425|429|5\d\d)(?:$|[):,.\]]| [A-Z{["-])/

const statusInMessage = (pattern: RegExp, message: unknown): string | undefined =>
  pattern
    .exec(textOf(message))
    ?.slice(1)
    .find(status => status !== undefined)

/** The statuses of gRPC, from 1. */
const grpcStatuses = `CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED
  RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS
  UNAUTHENTICATED`.split(/\s+/)

/** The name of the status of an error of a gRPC client: a small number beside its details and its metadata. */
function grpcStatusOf(failure: unknown): string | undefined {
  const code = readField(failure, 'code')
  const isGrpc = typeof readField(failure, 'details') === 'string' && isObject(readField(failure, 'metadata'))
  return isGrpc && typeof code === 'number' ? grpcStatuses[code - 1] : undefined
}

function headersOf(failure: unknown, response: unknown): Record<string, string> {
  const merged: Record<string, string> = {}
  for (const headers of [
    readField(response, 'headers'),
    readField(failure, 'responseHeaders'),
    readField(failure, 'headers'),
  ]) {
    Object.assign(merged, plainHeaders(headers))
  }
  return merged
}

/** The classes of some clients go by the name `Error`: then it is the class that tells. */
function nameOf(error: object): string {
  const name = textOf(readField(error, 'name'))
  return name === 'Error' ? textOf(readField(readField(error, 'constructor'), 'name')) || name : name
}

function readChain(thrown: unknown): ThrownLink[] {
  const links: ThrownLink[] = []
  const waiting: unknown[] = [thrown]
  const seen = new Set<unknown>()
  while (waiting.length > 0 && links.length < longestChain) {
    const error = waiting.shift()
    if (!isObject(error) || seen.has(error)) continue
    seen.add(error)
    const code = readField(error, 'code')
    links.push({
      name: nameOf(error),
      message: textOf(readField(error, 'message')),
      code: typeof code === 'number' ? String(code) : textOf(code),
    })
    waiting.push(readField(error, 'cause'))
    const errors = readField(error, 'errors')
    if (Array.isArray(errors)) waiting.push(errors[0])
  }
  return links
}
