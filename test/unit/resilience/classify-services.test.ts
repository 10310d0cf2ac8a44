import { describe, expect, it } from 'vitest'
import { classifyError } from '../../../src/resilience/classify.ts'

const nowMs = Date.parse('2026-11-23T12:00:00Z')

const w = (provider: string, status: number | null, body: unknown, headers: Record<string, string> = {}) => ({
  provider,
  status,
  headers,
  body,
})

/** Forms that services are known for, not checked against their pages; a number after the kind is the hint, in ms. */
const described: readonly (readonly [expected: string, failure: ReturnType<typeof w>])[] = [
  [
    'rate_limit 7200000',
    w('azure-openai', 429, {
      error: {
        code: '429',
        message:
          'Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-02-01 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 7200 seconds.',
      },
    }),
  ],
  [
    'rate_limit 26000',
    w('azure-openai', 429, {
      error: {
        code: 'RateLimitReached',
        message: 'Your requests to gpt-4 have exceeded the call rate limit. Please retry after 26 seconds.',
      },
    }),
  ],
  [
    'quota_exhausted',
    w('azure-openai', 403, {
      error: {
        code: '403',
        message: 'Out of call volume quota for OpenAI tier. Quota will be replenished in 12.23:11:00.',
      },
    }),
  ],
  [
    'auth',
    w('azure-openai', 401, {
      statusCode: 401,
      message: 'Unauthorized. Access token is missing, invalid, audience is incorrect, or have expired.',
    }),
  ],
  ['model_not_found', w('azure-openai', 404, { error: { code: '404', message: 'Resource not found' } })],
  [
    'invalid_request',
    w('azure-openai', 400, {
      error: {
        code: 'OperationNotSupported',
        message:
          'The chatCompletion operation does not work with the specified model, text-embedding-ada-002. Please choose different model and try again.',
      },
    }),
  ],
  [
    'content_filter',
    w('azure-openai', 400, {
      error: {
        message: 'The response was filtered',
        type: null,
        param: 'prompt',
        code: 'content_filter',
        status: 400,
        innererror: {
          code: 'ResponsibleAIPolicyViolation',
          content_filter_result: { hate: { filtered: true, severity: 'high' } },
        },
      },
    }),
  ],
  [
    'overloaded',
    w('azure-openai', 429, {
      error: {
        code: 'NoCapacity',
        message:
          'The system is currently experiencing high demand and cannot process your request. Your request exceeds the maximum usage size allowed during peak load.',
      },
    }),
  ],
  [
    'server_error',
    w('azure-openai', 500, {
      error: {
        code: 'InternalServerError',
        message: 'The server had an error processing your request. Sorry about that!',
      },
    }),
  ],
  [
    'permission',
    w('azure-openai', 403, {
      error: { code: 'AccessDenied', message: 'Access denied due to Virtual Network/Firewall rules.' },
    }),
  ],
  [
    'permission',
    w(
      'bedrock',
      403,
      { message: "You don't have access to the model with the specified model ID." },
      { 'x-amzn-errortype': 'AccessDeniedException' },
    ),
  ],
  [
    'overloaded',
    w(
      'bedrock',
      503,
      { message: 'Bedrock is unable to process your request.' },
      { 'x-amzn-errortype': 'ServiceUnavailableException' },
    ),
  ],
  [
    'rate_limit',
    w(
      'bedrock',
      429,
      { message: 'Too many requests, please wait before trying again.' },
      { 'x-amzn-ErrorType': 'ThrottlingException' },
    ),
  ],
  [
    'context_length',
    w(
      'bedrock',
      400,
      { message: 'The model returned the following errors: Input is too long for requested model.' },
      { 'x-amzn-ErrorType': 'ValidationException' },
    ),
  ],
  [
    'context_length',
    w(
      'bedrock',
      400,
      { message: 'The model returned the following errors: prompt is too long: 201448 tokens > 200000 maximum' },
      { 'x-amzn-ErrorType': 'ValidationException' },
    ),
  ],
  [
    'auth',
    w(
      'bedrock',
      403,
      { message: 'The security token included in the request is expired' },
      { 'x-amzn-ErrorType': 'ExpiredTokenException' },
    ),
  ],
  [
    'auth',
    w(
      'bedrock',
      403,
      { message: 'The security token included in the request is invalid.' },
      { 'x-amzn-ErrorType': 'UnrecognizedClientException' },
    ),
  ],
  [
    'timeout',
    w(
      'bedrock',
      408,
      { message: 'The model has timed out in processing the request' },
      { 'x-amzn-ErrorType': 'ModelTimeoutException' },
    ),
  ],
  [
    'model_not_found',
    w(
      'bedrock',
      400,
      { message: 'The provided model identifier is invalid.' },
      { 'x-amzn-ErrorType': 'ValidationException' },
    ),
  ],
  [
    'rate_limit',
    w('vertex', 429, {
      error: {
        code: 429,
        message:
          'Resource exhausted. Please try again later. Please refer to https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.',
        status: 'RESOURCE_EXHAUSTED',
      },
    }),
  ],
  [
    'permission',
    w('vertex', 403, {
      error: {
        code: 403,
        message:
          "Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/projects/x' (or it may not exist).",
        status: 'PERMISSION_DENIED',
        details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'IAM_PERMISSION_DENIED' }],
      },
    }),
  ],
  [
    'quota_exhausted',
    w('vertex', 403, {
      error: {
        code: 403,
        message: 'This API method requires billing to be enabled. Please enable billing on project #x',
        status: 'PERMISSION_DENIED',
        details: [{ reason: 'BILLING_DISABLED' }],
      },
    }),
  ],
  [
    'model_not_found',
    w('vertex', 404, {
      error: {
        code: 404,
        message:
          'Publisher Model `projects/x/locations/us-central1/publishers/google/models/gemini-9` was not found or your project does not have access to it.',
        status: 'NOT_FOUND',
      },
    }),
  ],
  [
    'auth',
    w('vertex', 401, {
      error: {
        code: 401,
        message: 'Request had invalid authentication credentials.',
        status: 'UNAUTHENTICATED',
        details: [{ reason: 'ACCESS_TOKEN_EXPIRED' }],
      },
    }),
  ],
  [
    'cancelled_upstream',
    w('vertex', 499, { error: { code: 499, message: 'The operation was cancelled.', status: 'CANCELLED' } }),
  ],
  [
    'invalid_request',
    w('mistral', 422, {
      object: 'error',
      message: { detail: [{ type: 'extra_forbidden', loc: ['body', 'foo'], msg: 'Extra inputs are not permitted' }] },
      type: 'invalid_request_error',
      param: null,
      code: null,
    }),
  ],
  ['auth', w('mistral', 401, { detail: 'Unauthorized' })],
  ['rate_limit', w('mistral', 429, { message: 'Requests rate limit exceeded' })],
  [
    'model_not_found',
    w('mistral', 400, {
      object: 'error',
      message: 'Invalid model: mistral-xyz',
      type: 'invalid_model',
      param: null,
      code: '1500',
    }),
  ],
  [
    'context_length',
    w('mistral', 400, {
      object: 'error',
      message: 'Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length',
      type: 'invalid_request_error',
      code: '3051',
    }),
  ],
  ['quota_exhausted', w('mistral', 402, { detail: 'You cannot use the API until you have an active subscription' })],
  [
    'rate_limit 7660',
    w('groq', 429, {
      error: {
        message:
          'Rate limit reached for model `llama3-70b-8192` in organization `org_x` on tokens per minute (TPM): Limit 6000, Used 5000, Requested 2000. Please try again in 7.66s. Visit https://console.groq.com/docs/rate-limits for more information.',
        type: 'tokens',
        code: 'rate_limit_exceeded',
      },
    }),
  ],
  [
    'rate_limit 864000',
    w('groq', 429, {
      error: {
        message:
          'Rate limit reached for model `x` on tokens per day (TPD): Limit 500000, Used 500000, Requested 5000. Please try again in 14m24s.',
        type: 'tokens',
        code: 'rate_limit_exceeded',
      },
    }),
  ],
  [
    'invalid_response',
    w('groq', 400, {
      error: {
        message: "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.",
        type: 'invalid_request_error',
        code: 'tool_use_failed',
        failed_generation: '<function',
      },
    }),
  ],
  ['overloaded', w('groq', 498, { error: { message: 'Flex tier capacity exceeded', type: 'capacity_exceeded' } })],
  ['overloaded', w('groq', 503, { error: { message: 'Service Unavailable', type: 'internal_server_error' } })],
  [
    'model_not_found',
    w('groq', 400, {
      error: {
        message: 'The model `mixtral-8x7b-32768` has been decommissioned and is no longer supported.',
        type: 'invalid_request_error',
        code: 'model_decommissioned',
      },
    }),
  ],
  ['permission', w('groq', 403, { error: { message: 'Access denied. Please check your network settings.' } })],
  [
    'quota_exhausted',
    w('openrouter', 402, {
      error: {
        message:
          'This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but can only afford 2000.',
        code: 402,
      },
    }),
  ],
  [
    'rate_limit',
    w('openrouter', 429, {
      error: {
        message: 'Rate limit exceeded: free-models-per-min. ',
        code: 429,
        metadata: {
          headers: { 'X-RateLimit-Limit': '20', 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': '1795435260000' },
        },
      },
    }),
  ],
  [
    'quota_exhausted',
    w('openrouter', 429, {
      error: {
        message: 'Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day',
        code: 429,
      },
    }),
  ],
  [
    'rate_limit',
    w('openrouter', 429, {
      error: {
        message: 'Provider returned error',
        code: 429,
        metadata: {
          raw: 'meta-llama/llama-3 is temporarily rate-limited upstream. Please retry shortly.',
          provider_name: 'Chutes',
        },
      },
    }),
  ],
  ['no_provider', w('openrouter', 404, { error: { message: 'No endpoints found for model/x.', code: 404 } })],
  [
    'no_provider',
    w('openrouter', 404, {
      error: {
        message:
          'No endpoints found that support tool use. To learn more about provider routing, visit: https://openrouter.ai/docs/provider-routing',
        code: 404,
      },
    }),
  ],
  [
    'content_filter',
    w('openrouter', 403, {
      error: {
        code: 403,
        message: 'Input was flagged',
        metadata: { reasons: ['violence'], flagged_input: 'x', provider_name: 'OpenAI', model_slug: 'gpt' },
      },
    }),
  ],
  ['auth', w('openrouter', 401, { error: { message: 'User not found.', code: 401 } })],
  ['auth', w('openrouter', 401, { error: { message: 'No auth credentials found', code: 401 } })],
  ['timeout', w('openrouter', 408, { error: { message: 'Request timed out', code: 408 } })],
  [
    'server_error',
    w('openrouter', 502, {
      error: {
        message: 'Provider returned error',
        code: 502,
        metadata: { raw: 'error code: 502', provider_name: 'X' },
      },
    }),
  ],
  ['model_not_found', w('openrouter', 400, { error: { message: 'foo/bar is not a valid model ID', code: 400 } })],
  [
    'model_not_found',
    w('together', 404, {
      error: {
        message:
          'Unable to access model foo. Please visit https://api.together.ai/models to view the list of supported models.',
        type: 'invalid_request_error',
        param: 'model',
        code: 'model_not_available',
      },
    }),
  ],
  [
    'context_length',
    w('together', 422, {
      error: {
        message:
          'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000 `inputs` tokens and 100 `max_new_tokens`',
        type: 'invalid_request_error',
      },
    }),
  ],
  [
    'rate_limit',
    w('together', 429, {
      error: {
        message:
          'You have reached the rate limit specific to this model foo. The maximum rate limit for this model is 60 queries per minute.',
        type: 'model_rate_limit',
        param: null,
        code: null,
      },
    }),
  ],
  [
    'quota_exhausted',
    w('together', 402, {
      error: {
        message: 'Credit limit exceeded, please navigate to https://api.together.ai/settings/billing to upgrade.',
        type: 'credit_limit',
      },
    }),
  ],
  [
    'overloaded',
    w('together', 503, {
      error: { message: 'The server is overloaded or not ready yet.', type: 'service_unavailable' },
    }),
  ],
  [
    'quota_exhausted',
    w('deepseek', 402, {
      error: { message: 'Insufficient Balance', type: 'unknown_error', param: null, code: 'invalid_request_error' },
    }),
  ],
  [
    'auth',
    w('deepseek', 401, {
      error: {
        message: 'Authentication Fails (no such user)',
        type: 'authentication_error',
        param: null,
        code: 'invalid_request_error',
      },
    }),
  ],
  [
    'invalid_request',
    w('deepseek', 400, {
      error: {
        message: 'Failed to deserialize the JSON body into the target type: missing field `model`',
        type: 'invalid_request_error',
        param: null,
        code: 'invalid_request_error',
      },
    }),
  ],
  [
    'model_not_found',
    w('deepseek', 400, {
      error: { message: 'Model Not Exist', type: 'invalid_request_error', param: null, code: 'invalid_request_error' },
    }),
  ],
  [
    'auth',
    w('xai', 400, {
      code: 'Client specified an invalid argument',
      error: 'Incorrect API key provided: xa***01. You can obtain an API key from https://console.x.ai.',
    }),
  ],
  [
    'quota_exhausted',
    w('xai', 429, {
      code: 'Some resource has been exhausted',
      error:
        'Your team x has either used all available credits or reached its monthly spending limit. To continue making API requests, please purchase more credits or raise your spending limit.',
    }),
  ],
  [
    'model_not_found',
    w('xai', 404, {
      code: 'Some requested entity was not found',
      error: 'The model grok-9 does not exist or your team x does not have access to it.',
    }),
  ],
  [
    'context_length',
    w('xai', 400, {
      code: 'Client specified an invalid argument',
      error: "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
    }),
  ],
  ['auth', w('cohere', 401, { message: 'invalid api token' })],
  [
    'rate_limit',
    w('cohere', 429, {
      message:
        "You are using a Trial key, which is limited to 10 API calls / minute. You can continue to use the Trial key for free or upgrade to a Production key with higher rate limits at 'https://dashboard.cohere.com/api-keys'.",
    }),
  ],
  [
    'quota_exhausted',
    w('cohere', 429, {
      message:
        'You are using a Trial key, which is limited to 1000 API calls / month. You can continue to use the Trial key for free',
    }),
  ],
  [
    'model_not_found',
    w('cohere', 404, {
      message: "model 'foo' not found, make sure the correct model ID was used and that you have access to the model.",
    }),
  ],
  [
    'invalid_request',
    w('cohere', 400, {
      message: 'invalid request: message must be at least 1 token long or tool results must be specified.',
    }),
  ],
  ['overloaded', w('ollama', 503, { error: 'server busy, please try again.  maximum pending requests exceeded' })],
  [
    'invalid_request',
    w('ollama', 400, {
      error: {
        message: 'registry.ollama.ai/library/gemma:2b does not support tools',
        type: 'api_error',
        param: null,
        code: null,
      },
    }),
  ],
  [
    'server_error',
    w('ollama', 500, { error: { message: 'llama runner process has terminated: exit status 2', type: 'api_error' } }),
  ],
  [
    'server_error',
    w('ollama', 500, { error: 'model requires more system memory (8.4 GiB) than is available (5.7 GiB)' }),
  ],
  [
    'model_not_found',
    w('vllm', 404, {
      object: 'error',
      message: 'The model `foo` does not exist.',
      type: 'NotFoundError',
      param: null,
      code: 404,
    }),
  ],
  [
    'context_length',
    w('vllm', 400, {
      object: 'error',
      message:
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens in the messages, Please reduce the length of the messages.",
      type: 'BadRequestError',
      param: null,
      code: 400,
    }),
  ],
  [
    'invalid_request',
    w('vllm', 400, {
      object: 'error',
      message: "[{'type': 'missing', 'loc': ('body', 'messages'), 'msg': 'Field required'}]",
      type: 'BadRequestError',
      code: 400,
    }),
  ],
  [
    'rate_limit',
    w('litellm', 429, {
      error: {
        message: 'litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached',
        type: 'throttling_error',
        param: null,
        code: '429',
      },
    }),
  ],
  [
    'quota_exhausted',
    w('litellm', 400, {
      error: {
        message: 'Budget has been exceeded! Current cost: 0.5, Max budget: 0.1',
        type: 'budget_exceeded',
        param: null,
        code: '400',
      },
    }),
  ],
  [
    'auth',
    w('litellm', 401, {
      error: {
        message: 'Authentication Error, Invalid proxy server token passed.',
        type: 'auth_error',
        param: 'None',
        code: '401',
      },
    }),
  ],
  [
    'no_provider',
    w('litellm', 429, {
      error: {
        message: 'No deployments available for selected model, Try again in 60 seconds. Passed model=gpt-4.',
        type: 'None',
        param: 'None',
        code: '429',
      },
    }),
  ],
  [
    'context_length',
    w('litellm', 400, {
      error: {
        message:
          "litellm.ContextWindowExceededError: litellm.BadRequestError: OpenAIException - This model's maximum context length",
        type: null,
        code: '400',
      },
    }),
  ],
  [
    'content_filter',
    w('litellm', 400, {
      error: { message: 'litellm.ContentPolicyViolationError: AzureException', type: null, code: '400' },
    }),
  ],
  [
    'timeout',
    w('litellm', 408, { error: { message: 'litellm.Timeout: APITimeoutError - Request timed out.', code: '408' } }),
  ],
  [
    'model_not_found',
    w('litellm', 400, {
      error: {
        message:
          '/chat/completions: Invalid model name passed in model=foo. Call `/v1/models` to view available models for your key.',
        type: 'invalid_request_error',
        code: '400',
      },
    }),
  ],
  ['overloaded', w('llama.cpp', 503, { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } })],
  [
    'context_length',
    w('llama.cpp', 500, { error: { code: 500, message: 'context shift is disabled', type: 'server_error' } }),
  ],
  ['auth', w('llama.cpp', 401, { error: { code: 401, message: 'Invalid API Key', type: 'authentication_error' } })],
  ['overloaded', w('tgi', 429, { error: 'Model is overloaded', error_type: 'overloaded' })],
  [
    'context_length',
    w('tgi', 422, {
      error: 'Input validation error: `inputs` must have less than 1024 tokens. Given: 2000',
      error_type: 'validation',
    }),
  ],
  [
    'server_error',
    w('tgi', 424, {
      error: 'Request failed during generation: Server error: CUDA out of memory',
      error_type: 'generation',
    }),
  ],
  [
    'overloaded 20000',
    w('huggingface', 503, { error: 'Model meta-llama/x is currently loading', estimated_time: 20.0 }),
  ],
  [
    'quota_exhausted',
    w('huggingface', 402, {
      error:
        'You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to get 20x more monthly included credits.',
    }),
  ],
  [
    'permission',
    w('huggingface', 403, {
      error:
        'This authentication method does not have sufficient permissions to call Inference Providers on behalf of user x',
    }),
  ],
  [
    'rate_limit',
    w('anthropic', 429, {
      type: 'error',
      error: {
        type: 'rate_limit_error',
        message:
          'Number of request tokens has exceeded your per-minute rate limit (https://docs.anthropic.com/en/api/rate-limits)',
      },
    }),
  ],
  [
    'invalid_request',
    w('anthropic', 400, {
      type: 'error',
      error: {
        type: 'invalid_request_error',
        message:
          'messages.1.content.0.type: Expected `text`, but found `tool_use`. `tool_use` ids were found without `tool_result` blocks immediately after',
      },
    }),
  ],
  [
    'permission',
    w('anthropic', 400, {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'This organization has been disabled.' },
    }),
  ],
  [
    'invalid_request',
    w('openai', 400, {
      error: {
        message:
          "Invalid schema for response_format 'answer': In context=(), 'additionalProperties' is required to be supplied and to be false.",
        type: 'invalid_request_error',
        param: 'response_format',
        code: null,
      },
    }),
  ],
  [
    'auth',
    w('openai', 401, {
      error: { message: "You didn't provide an API key.", type: 'invalid_request_error', param: null, code: null },
    }),
  ],
  ['rate_limit', w('openai', 429, { error: { message: 'Too Many Requests', type: 'requests', code: null } })],
  [
    'content_filter',
    w('openai', 400, {
      error: {
        message: 'Invalid prompt: your prompt was flagged as potentially violating our usage policy.',
        type: 'invalid_request_error',
        code: 'invalid_prompt',
      },
    }),
  ],
  [
    'context_length',
    w('openai', 400, {
      error: {
        message: 'Your input exceeds the context window of this model. Please adjust your input and try again.',
        type: 'invalid_request_error',
        param: 'input',
        code: 'context_length_exceeded',
      },
    }),
  ],
  [
    'overloaded',
    w('cloudflare', 429, {
      errors: [{ message: 'AiError: Capacity temporarily exceeded, please try again.', code: 3040 }],
      success: false,
      result: {},
      messages: [],
    }),
  ],
  [
    'quota_exhausted',
    w('cloudflare', 429, {
      errors: [{ message: 'AiError: you have used up your daily free allocation of 10,000 neurons', code: 3036 }],
    }),
  ],
  [
    'quota_exhausted',
    w('moonshot', 429, {
      error: {
        message: 'Your account x is suspended, please check your plan and billing details',
        type: 'exceeded_current_quota_error',
      },
    }),
  ],
  [
    'quota_exhausted',
    w('zhipu', 429, {
      error: { code: '1113', message: 'Insufficient balance or no resource package. Please recharge.' },
    }),
  ],
  ['rate_limit', w('zhipu', 429, { error: { code: '1302', message: 'Rate limit reached for requests' } })],
  [
    'content_filter',
    w('dashscope', 400, {
      error: {
        code: 'data_inspection_failed',
        message: 'Input data may contain inappropriate content.',
        type: 'data_inspection_failed',
      },
    }),
  ],
  [
    'quota_exhausted',
    w('dashscope', 400, {
      error: {
        code: 'Arrearage',
        message: 'Access denied, please make sure your account is in good standing.',
        type: 'Arrearage',
      },
    }),
  ],
  ['rate_limit', w('perplexity', 429, null)],
  ['overloaded', w('x', 503, null)],
  ['timeout', w('x', 504, '<html><title>504 Gateway Time-out</title></html>')],
  ['timeout', w('x', 524, null)],
  ['server_error', w('x', 522, null)],
  ['rate_limit 30000', w('x', 429, null, { 'retry-after': 'Mon, 23 Nov 2026 12:00:30 GMT' })],
  ['overloaded 5000', w('x', 503, null, { 'retry-after': '5' })],
  [
    'rate_limit 360000',
    w(
      'openai',
      429,
      { error: { message: 'Rate limit reached', code: 'rate_limit_exceeded' } },
      {
        'x-ratelimit-reset-requests': '6m0s',
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-tokens': '120ms',
        'x-ratelimit-remaining-tokens': '50',
      },
    ),
  ],
  ['rate_limit 60000', w('openrouter', 429, null, { 'x-ratelimit-reset': '1795435260', 'x-ratelimit-remaining': '0' })],
]

describe('errors as the services describe them', () => {
  it.each(described)('is %s', (expected, failure) => {
    const { kind, retryAfterMs } = classifyError(failure, { provider: failure.provider, nowMs })
    expect(expected.includes(' ') ? `${kind} ${retryAfterMs}` : kind).toBe(expected)
  })
})
