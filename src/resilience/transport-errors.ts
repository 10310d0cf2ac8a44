/** What errors below HTTP mean: the codes of Node, undici, OpenSSL and the usual clients, then names, then messages. */
import type { ThrownLink } from './failure-evidence.ts'
import type { FailureKind } from './kinds.ts'

const codes: Readonly<Partial<Record<FailureKind, string>>> = {
  connection: `ENOTFOUND EAI_AGAIN EAI_FAIL EAI_NODATA ESERVFAIL ENODATA EREFUSED ECONNREFUSED ECONNRESET EPIPE EHOSTUNREACH EHOSTDOWN ENETUNREACH
    ENETDOWN ENETRESET ETIMEDOUT ENOTCONN EADDRNOTAVAIL UND_ERR_SOCKET UND_ERR_CLOSED UND_ERR_DESTROYED
    UND_ERR_CONNECT_TIMEOUT UND_ERR_RES_CONTENT_LENGTH_MISMATCH UND_ERR_INFO ERR_STREAM_PREMATURE_CLOSE
    ERR_SOCKET_CLOSED ERR_SOCKET_CONNECTION_TIMEOUT ERR_NETWORK UND_ERR_PRX_TLS ECONNABORTED ConnectionRefused
    ConnectionClosed ConnectionReset FailedToOpenSocket`,
  timeout: 'UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT ESOCKETTIMEDOUT ERR_HTTP_REQUEST_TIMEOUT',
  cancelled: 'ABORT_ERR ERR_CANCELED UND_ERR_ABORTED',
  invalid_response: `UND_ERR_HEADERS_OVERFLOW UND_ERR_RESPONSE_STATUS_CODE ERR_INVALID_CHAR Z_DATA_ERROR Z_BUF_ERROR
    ERR_ENCODING_INVALID_ENCODED_DATA`,
  tls: `EPROTO CERT_HAS_EXPIRED CERT_NOT_YET_VALID CERT_UNTRUSTED CERT_REJECTED CERT_REVOKED CERT_SIGNATURE_FAILURE
    CERT_CHAIN_TOO_LONG DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_VERIFY_LEAF_SIGNATURE
    UNABLE_TO_GET_ISSUER_CERT UNABLE_TO_GET_ISSUER_CERT_LOCALLY UNABLE_TO_GET_CRL INVALID_CA INVALID_PURPOSE
    HOSTNAME_MISMATCH CRL_HAS_EXPIRED`,
  invalid_request: 'ERR_INVALID_URL UND_ERR_INVALID_ARG',
}

const kindByCode: ReadonlyMap<string, FailureKind> = new Map(
  Object.entries(codes).flatMap(([kind, list]) => list.split(/\s+/).map(code => [code, kind as FailureKind] as const)),
)

const prefixes: readonly (readonly [string, FailureKind])[] = [
  ['ERR_SSL_', 'tls'],
  ['ERR_TLS_', 'tls'],
  ['CERT_', 'tls'],
  ['HPE_', 'invalid_response'],
  ['ERR_HTTP2_', 'connection'],
]

const names: Readonly<Record<string, FailureKind>> = {
  // Of Node, undici and the clients of services.
  AbortError: 'cancelled',
  APIUserAbortError: 'cancelled',
  CanceledError: 'cancelled',
  TimeoutError: 'timeout',
  HeadersTimeoutError: 'timeout',
  BodyTimeoutError: 'timeout',
  APIConnectionTimeoutError: 'timeout',
  RequestTimeoutError: 'timeout',
  CohereTimeoutError: 'timeout',
  ConnectTimeoutError: 'connection',
  APIConnectionError: 'connection',
  ConnectionError: 'connection',
  SocketError: 'connection',
  HTTPParserError: 'invalid_response',
  CredentialsProviderError: 'auth',
  LengthFinishReasonError: 'invalid_response',
  ContentFilterFinishReasonError: 'content_filter',
  // Of the AI SDK.
  AI_JSONParseError: 'invalid_response',
  AI_NoObjectGeneratedError: 'invalid_response',
  AI_NoContentGeneratedError: 'invalid_response',
  AI_NoOutputGeneratedError: 'invalid_response',
  AI_NoSuchToolError: 'invalid_response',
  AI_InvalidToolInputError: 'invalid_response',
  AI_InvalidToolArgumentsError: 'invalid_response',
  AI_TypeValidationError: 'invalid_response',
  AI_EmptyResponseBodyError: 'invalid_response',
  AI_InvalidResponseDataError: 'invalid_response',
  AI_InvalidArgumentError: 'invalid_request',
  AI_InvalidPromptError: 'invalid_request',
  AI_InvalidDataContentError: 'invalid_request',
  AI_InvalidMessageRoleError: 'invalid_request',
  AI_MessageConversionError: 'invalid_request',
  AI_UnsupportedFunctionalityError: 'invalid_request',
  AI_NoSuchModelError: 'model_not_found',
  AI_NoSuchProviderError: 'no_provider',
  AI_LoadAPIKeyError: 'auth',
  AI_LoadSettingError: 'auth',
}

/** Messages that only the network's own errors have. */
const networkMessages =
  /^(?:terminated|fetch failed|failed to fetch|network error|load failed|socket hang up|client network socket disconnected before secure tls connection was established|other side closed|premature close|connection error\.?|networkerror when attempting to fetch resource\.?|connection (?:was )?(?:closed|lost|reset|refused|terminated)\b.{0,80})$|^error sending request for url\b|^unable to connect\. is the computer able|reason: (?:getaddrinfo|connect|read|socket|write) |^net::ERR_(?:INTERNET|NAME|CONNECTION|NETWORK|ADDRESS|PROXY|TUNNEL|EMPTY)_|invalid response body while trying to fetch/i

const jsonMessages =
  /in JSON at position|is not valid JSON|end of JSON input|in JSON\b|JSON\.parse|(?:Unterminated|Unexpected|Expected)\b.{0,80}\bJSON/i

/**
 * What a call of the system says where its error lost its code on the way, as in a log or from JSON; the call stands
 * before the code. Of TLS the sentences are OpenSSL's.
 */
const systemCall =
  /(?:^|[:,] )(?:connect|read|write|getaddrinfo|query[A-Za-z]*|socket|send|recv|sendto|recvfrom) (E[A-Z_]{3,20})\b/
const tlsMessages =
  /self[- ]signed certificate|certificate (?:has expired|is not yet valid|was revoked)|unable to (?:get (?:local )?issuer certificate|verify the first certificate)|does not match certificate's altnames|ssl certificate problem|:SSL routines:|^net::ERR_(?:CERT|SSL)_/i
/** What `fetch` says of an address that it does not take: no try changes it. */
const addressMessages = /^(?:unknown scheme|bad port|invalid url|failed to parse url)\b/i

/** What fetchers say of a time that was over, and of an answer that is no JSON. */
const timeoutMessages =
  /^(?:network timeout at: |response timeout while trying to fetch |timeout awaiting '(?!connect|lookup|secure))/i
const bodyMessages = /^invalid json response body at /i

/** A proxy that does not let the connection through, which its client calls an abort. */
const proxyRefusal = /^proxy response \((\d{3})\)/i

/** What client libraries say of a stream that came to no end of its own. */
const streamMessages =
  /\b(?:stream|request|response)\b.{0,40}\b(?:ended|closed|finished|stopped|terminated|interrupted)\b.{0,10}\b(?:without|before|prematurely|unexpectedly|early)\b|missing finish_reason for choice|without sending any chunks|incomplete chunked (?:read|encoding)/i

/** The kind of a failure below HTTP, or undefined where nothing in the chain is one. */
export function kindByTransport(chain: readonly ThrownLink[]): FailureKind | undefined {
  for (const { code, message } of chain) {
    if (code === '') continue
    // The usual HTTP clients give an elapsed timeout the code of an aborted connection.
    if (code === 'ECONNABORTED' && /timeout|timed out/i.test(message)) return 'timeout'
    if (timeoutMessages.test(message)) return 'timeout'
    const refusedBy = proxyRefusal.exec(message)?.[1]
    if (refusedBy !== undefined) return refusedBy === '407' ? 'auth' : 'connection'
    const kind = kindByCode.get(code) ?? prefixes.find(([prefix]) => code.startsWith(prefix))?.[1]
    if (kind) return kind
  }
  if (chain.some(({ message }) => streamMessages.test(message))) return 'stream_error'
  for (const { name } of chain) {
    if (Object.hasOwn(names, name)) return names[name]
  }
  const lost = kindOfLostCode(chain)
  if (lost !== undefined) return lost
  for (const { name, message } of chain) {
    if ((name === 'SyntaxError' && jsonMessages.test(message)) || bodyMessages.test(message)) return 'invalid_response'
    if (timeoutMessages.test(message)) return 'timeout'
    if (networkMessages.test(message)) return 'connection'
  }
  return undefined
}

/** Where no code came along, what the messages themselves quote of one. */
function kindOfLostCode(chain: readonly ThrownLink[]): FailureKind | undefined {
  for (const { message } of chain) {
    if (tlsMessages.test(message)) return 'tls'
    if (addressMessages.test(message)) return 'invalid_request'
    const code = systemCall.exec(message)?.[1]
    const kind = code === undefined ? undefined : kindByCode.get(code)
    if (kind !== undefined) return kind
  }
  return undefined
}

/** The codes of Node for a resource of this machine that has run out. */
const localResources = new Set(['ENOSPC', 'EMFILE', 'ENFILE', 'ENOMEM', 'EDQUOT'])

export const isLocalResource = (chain: readonly ThrownLink[]): boolean =>
  chain.some(link => localResources.has(link.code))
