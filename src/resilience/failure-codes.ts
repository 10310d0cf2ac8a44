/**
 * What the codes of providers mean. Codes are compared without case and punctuation, so `RATE_LIMIT_EXCEEDED`,
 * `rate_limit_exceeded` and `RateLimitExceeded` are one. A *telling* code decides by itself; a *vague* one (`api_error`,
 * `invalid_request_error`: the same word for a bad key, a missing model and an empty purse) counts only where status
 * and text say nothing.
 */
import type { FailureKind } from './kinds.ts'

type CodeTable = Readonly<Partial<Record<FailureKind, string>>>

const tellingCodes: CodeTable = {
  quota_exhausted: `insufficient_quota credit_balance_exhausted billing_hard_limit_reached billing_not_active
    billing_error billing_disabled quota_exceeded quota_exhausted ServiceQuotaExceededException insufficient_credits
    insufficient_balance insufficient_funds payment_required credits_exhausted exceeded_current_quota_error
    usage_limit_reached usage_limit_exceeded spend_limit_exceeded INSUFFICIENT_G1_CREDITS_BALANCE out_of_credits
    arrearage token_quota_reached budget_exceeded budget_exceeded_error credit_limit credit_limit_exceeded`,
  rate_limit: `rate_limit_exceeded rate_limit_error rate_limited rate_limit rate_limit_reached rate_limit_reached_error
    ThrottlingException Throttling TooManyRequestsException too_many_requests too_many_requests_error throttled
    RequestLimitExceeded ProvisionedThroughputExceededException limit_requests limit_burst_rate`,
  overloaded: `overloaded_error overloaded engine_overloaded engine_overloaded_error server_overloaded slow_down
    ModelNotReadyException MODEL_CAPACITY_EXHAUSTED MODEL_CAPACITY_EXCEEDED capacity_exceeded
    service_tier_capacity_exceeded no_capacity model_overloaded server_busy insufficient_system_resource
    insufficient_capacity queue_exceeded`,
  timeout: `timeout_error ModelTimeoutException DEADLINE_EXCEEDED request_timeout gateway_timeout operation_timeout
    timeout RequestTimeoutException`,
  auth: `invalid_api_key authentication_error API_KEY_INVALID API_KEY_EXPIRED invalid_authentication
    invalid_authentication_error unauthorized UNAUTHENTICATED UnrecognizedClientException InvalidSignatureException
    ExpiredTokenException ExpiredToken InvalidClientTokenId MissingAuthenticationToken
    MissingAuthenticationTokenException IncompleteSignature IncompleteSignatureException invalid_token token_expired
    token_revoked account_deactivated invalid_organization mismatched_organization ACCESS_TOKEN_EXPIRED
    ACCESS_TOKEN_SCOPE_INSUFFICIENT no_api_key missing_api_key CREDENTIALS_MISSING AuthenticationError
    SignatureDoesNotMatch incorrect_api_key_error`,
  permission: `FTUFormNotFilled missing_scope SERVICE_DISABLED CONSUMER_SUSPENDED insufficient_permissions IAM_PERMISSION_DENIED
    ip_not_authorized API_KEY_SERVICE_BLOCKED API_KEY_HTTP_REFERRER_BLOCKED API_KEY_IP_ADDRESS_BLOCKED
    organization_restricted organization_suspended VALIDATION_REQUIRED access_terminated user_suspended
    ACCOUNT_STATE_INVALID`,
  region_blocked: `unsupported_country_region_territory unsupported_country region_not_supported region_blocked
    UnsupportedRegion USER_LOCATION_NOT_SUPPORTED LOCATION_POLICY_VIOLATED unsupported_region`,
  context_length: `context_length_exceeded exceed_context_size_error context_window_exceeded
    model_context_window_exceeded max_context_length_exceeded context_size_exceeded prompt_too_long input_too_long
    ContextWindowExceededError ContextOverflowError`,
  payload_too_large: `request_too_large payload_too_large request_entity_too_large content_too_large body_too_large
    file_too_large`,
  request_too_large_for_tier: 'tokens_limit_reached request_too_large_for_tier',
  model_not_found: `model_not_found DeploymentNotFound model_not_available unknown_model invalid_model
    model_deprecated model_decommissioned invalid_model_error model_not_supported model_terms_required
    ModelNotFoundError model_unavailable no_such_model`,
  content_filter: `content_filter content_policy_violation ResponsibleAIPolicyViolation moderation_blocked
    content_filtered data_inspection_failed content_moderation_failed invalid_prompt sensitive_content
    content_policy_violation_error content_blocked safety_violation`,
  stream_error: 'ModelStreamErrorException stream_error stream_read_error',
  invalid_response: 'json_validate_failed tool_use_failed malformed_response invalid_response',
  conflict: 'ConflictException conflict_error ABORTED idempotency_error resource_conflict',
  no_provider: 'no_providers_available no_endpoints_found no_provider no_available_provider no_available_providers',
  cancelled_upstream: 'CANCELLED client_closed_request request_cancelled',
  invalid_request: `not_supported_error unsupported_value unsupported_parameter string_above_max_length
    string_too_long array_above_max_length invalid_function_parameters unknown_parameter missing_required_parameter
    invalid_type invalid_base64 invalid_image invalid_image_format UNIMPLEMENTED json_invalid method_not_allowed`,
}

const vagueCodes: CodeTable = {
  server_error: `server_error internal_server_error api_error INTERNAL InternalServerException internal_failure
    ModelErrorException internal_error DATA_LOSS InternalFailure InternalServerError unreachable_backend`,
  overloaded: 'UNAVAILABLE service_unavailable ServiceUnavailableException unavailable_error service_unavailable_error',
  rate_limit: 'RESOURCE_EXHAUSTED',
  permission: `PERMISSION_DENIED permission_error permission_denied forbidden AccessDeniedException AccessDenied
    request_forbidden PermissionDeniedError`,
  model_not_found: 'NOT_FOUND not_found_error NotFoundError ResourceNotFoundException',
  invalid_request: `invalid_request_error invalid_request INVALID_ARGUMENT BadRequestError bad_request
    ValidationException FAILED_PRECONDITION OUT_OF_RANGE validation_error invalid_argument UnprocessableEntityError
    bad_request_error`,
}

/** Reasons for which a model stopped that are failures of the call. */
const finishCodes: CodeTable = {
  content_filter: `content_filter refusal SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII LANGUAGE IMAGE_SAFETY
    guardrail_intervened content_filtered ERROR_TOXIC sensitive IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION MODEL_ARMOR`,
  context_length: 'model_context_window_exceeded ERROR_LIMIT',
  stream_error: 'error network_error ERROR abort',
  overloaded: 'insufficient_system_resource',
  invalid_response: `MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL OTHER IMAGE_OTHER NO_IMAGE TOO_MANY_TOOL_CALLS
    malformed_model_output malformed_tool_use MALFORMED_RESPONSE`,
}

/** The code as the tables know it: `ThrottlingException:http://…` and `com.amazon#ThrottlingException` are one. */
function normalized(code: string): string {
  return code
    .replace(/^[^#]*#/, '')
    .replace(/:.*$/s, '')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
}

function lookup(table: CodeTable): ReadonlyMap<string, FailureKind> {
  const kinds = new Map<string, FailureKind>()
  for (const [kind, codes] of Object.entries(table)) {
    for (const code of codes.split(/\s+/)) kinds.set(normalized(code), kind as FailureKind)
  }
  return kinds
}

const telling = lookup(tellingCodes)
const vague = lookup(vagueCodes)
const finishing = lookup(finishCodes)

const firstOf = (kinds: ReadonlyMap<string, FailureKind>, codes: readonly string[]): FailureKind | undefined => {
  for (const code of codes) {
    const kind = kinds.get(normalized(code))
    if (kind) return kind
  }
  return undefined
}

export const kindByTellingCode = (codes: readonly string[]): FailureKind | undefined => firstOf(telling, codes)
export const kindByVagueCode = (codes: readonly string[]): FailureKind | undefined => firstOf(vague, codes)
export const kindByFinish = (finishes: readonly string[]): FailureKind | undefined => firstOf(finishing, finishes)

/** By a reason in the details: a quota's period, a block's reason, or a code that stands there. */
export function kindByReason(reasons: readonly string[]): FailureKind | undefined {
  if (reasons.some(reason => /per[-_ ]?(day|month)|daily|monthly/i.test(reason))) return 'quota_exhausted'
  if (reasons.some(reason => /per[-_ ]?(minute|second|hour)/i.test(reason))) return 'rate_limit'
  const kind = kindByTellingCode(reasons)
  if (kind) return kind
  const stopped = kindByFinish(reasons)
  return stopped === 'content_filter' ? stopped : undefined
}
