/**
 * What sentences of providers mean, as an ordered list of rules: the first that matches decides. Sentences are the last
 * resort, for there are failures that differ in nothing else: a request that is larger than the tier allows carries the
 * same code as a rate limit, and an empty purse comes as an invalid request. Patterns are of bounded repetition, so
 * hostile text costs no more than its length.
 */
import type { FailureKind } from './kinds.ts'

interface TextRule {
  readonly kind: FailureKind
  readonly pattern: RegExp
}

/** The one sentence that overrules a code: nothing but a smaller request, or a larger tier, will pass. */
const largerThanTier =
  /request(?: body)? too large (?:for|on)\b|too large for .{0,60}(?:per min|\btpm\b|tokens per)|extra usage is required for long context|request too large\b.{0,200}\b(?:tokens per|tpm)\b/is

const rules: readonly TextRule[] = [
  { kind: 'request_too_large_for_tier', pattern: largerThanTier },
  {
    kind: 'region_blocked',
    pattern:
      /(?:country|region|territor(?:y|ies)|user location|your location)\b.{0,60}\b(?:is|are)?\s?(?:not|un)[ -]?(?:currently |yet )?(?:supported|available|allowed)|(?:not|un)[ -]?(?:currently |yet )?(?:supported|available|allowed|offered)\b.{0,20}\b(?:in|from|for) (?:your|this|the user|unsupported|the current) ?(?:current )?(?:country|countries|region|location|territory)|unsupported (?:country|countries|region)/is,
  },
  {
    kind: 'content_filter',
    pattern:
      /content[ _]?(?:filter|management policy|moderation|policy)|safety (?:system|filter|settings|reasons|policy)|(?:was|been|were|is) flagged|flagged (?:as|by|for)|blocked by .{0,40}(?:safety|filter|polic|guardrail)|responsible ai|(?:violat(?:e|es|ed|ing|ion)|against)\b.{0,60}\b(?:polic(?:y|ies)|terms|guidelines)|content exists risk|usage polic(?:y|ies)|inappropriate content|prohibited content|sensitive (?:content|information|words)|moderation|敏感|违规|不安全/is,
  },
  {
    kind: 'invalid_request',
    pattern:
      /maximum (?:allowed )?number of output tokens|at most \d+ completion tokens|max_(?:completion_|output_)?tokens['"`]?:? (?:is too large|must be|cannot be|should be)|maxoutputtokens.{0,60}(?:range|must be)/is,
  },
  {
    kind: 'payload_too_large',
    pattern:
      /\b(?:payload|body|image|file|document|pdf|attachment)\b.{0,60}\b(?:exceed\w{0,3}|too large|larger than|over)\b.{0,60}\b(?:bytes|[kmg]i?b)\b/is,
  },
  {
    kind: 'context_length',
    pattern:
      /context[ _-]?(?:length|window|size|limit)|maximum context|prompt (?:is |was )?too long|input (?:is |was )?too long|too (?:long|many tokens) for (?:the |this )?(?:requested )?model|too many (?:input )?tokens:|tokens? count .{0,40}exceed|inputs?['"`]? (?:tokens? \+|must have (?:less|fewer) than \d+ tokens)|exceed\w{0,3} the (?:maximum|max|model'?s?|limit).{0,40}(?:tokens|context|input length)|maximum (?:input|prompt) length|too large for model with|reduce the length of|tokens in the prompt|input tokens? (?:limit )?exceed|input length .{0,60}exceed|exceeds? .{0,20}context|context shift|(?:prompt|input)\b.{0,40}\d+ tokens\b.{0,60}(?:maximum|limit)|n_ctx|token count is \d+ but|longer than the maximum model length|token limit (?:of the model )?exceeded|input tokens?\b.{0,40}cannot exceed|range of input length|(?:输入|上下文|提示).{0,10}(?:超长|过长|超出|超过)/is,
  },
  {
    kind: 'quota_exhausted',
    pattern:
      /credit balance|insufficient[ _](?:account )?(?:balance|credits?|funds|quota)|out of (?:credits?|funds)|(?:requires? |need |purchase |buy |add )(?:\d+ )?(?:more )?credits|credits? (?:have been |has been |are |is )?(?:exhausted|depleted|used up)|all available credits|exceeded your (?:current|monthly|daily) (?:quota|limit|usage)|usage limits?\b.{0,60}(?:regain|reach|exceed|reset)|(?:reached|exceeded|hit) (?:your|the|its) (?:specified |monthly |daily |weekly )?(?:api )?(?:usage|spend\w{0,4}|billing|monthly|daily|weekly) (?:limit|cap|quota)|(?:billing|spend|spending) (?:hard )?(?:limit|cap)|payment required|enable billing|requires? billing|billing (?:is )?not (?:active|enabled)|(?:daily|monthly) (?:request |token |usage )?(?:limit|quota|(?:free )?allocation)|out of (?:call volume )?quota|quota will be (?:replenished|reset)|budget (?:has been |was )?exceeded|exceeded (?:the |your )?budget|over budget|(?:free-models|requests|calls|tokens)[- /]*per[- ](?:day|month)|calls? ?\/ ?month|\/ ?month\b|no (?:remaining )?(?:credits|quota)|key limit exceeded|payment[_ ]instrument|in arrears|overdue|suspended due to insufficient|余额不足|欠费|充值/is,
  },
  {
    kind: 'overloaded',
    pattern:
      /overload|high (?:demand|load|traffic)|no capacity|capacity (?:is )?(?:temporarily )?(?:exceeded|constraint|exhausted|limit)|exhausted your capacity|(?:at|over|out of|insufficient|limited) capacity|(?:server|service|system|model|engine|we are|is) (?:is )?(?:currently |too )?busy|load(?:ing)? model|(?:currently|still) loading|is loading|too many connections|maximum pending requests|not (?:yet )?ready/is,
  },
  {
    kind: 'no_provider',
    pattern:
      /no instances available|no (?:allowed |available |healthy |eligible )?(?:providers?|endpoints?|deployments?)\b.{0,20}(?:found|available|are|is|match|support|for)|no (?:allowed|available|eligible) (?:providers?|endpoints?)/is,
  },
  {
    kind: 'rate_limit',
    pattern:
      /rate[- _]?limit|too many requests|too many tokens|throttl|(?:requests|tokens|calls) ?(?:per|\/) ?(?:minute|min|second|sec)\b|slow down|quota exceeded|concurrency limit|request limit|速率限制|请求频率|并发/is,
  },
  {
    kind: 'model_not_found',
    pattern:
      /model\b.{0,160}(?:not (?:found|exist)\b|does(?: not|n['’]t) exist|isn['’]t supported|is not (?:available|found|a valid|supported)|(?:has been |is |was )(?:deprecated|decommissioned|retired|shut ?down)|could not be found)|(?:unknown|invalid|no such|nonexistent|unsupported) model|not a valid model|inference profile|model (?:identifier|id|name) (?:is |you provided is )?(?:invalid|not valid)|model identifier is invalid|not found for api version|(?:do(?:es)? not|don['’]t) have access to (?:the |this )?model|deployment .{0,60}does not exist|no models? (?:named|found|loaded)|model (?:is |was )?(?:unloaded|not loaded)|try pulling it|^model: \S+$/is,
  },
  {
    kind: 'auth',
    pattern:
      /(?:api[- _]?key|x-api-key|access token|api token|auth token|subscription key|oauth token|bearer token|credentials?|security token)\b.{0,60}(?:invalid|incorrect|not valid|not found|expired|missing|leaked|revoked|required|blocked|disabled|malformed)|(?:invalid|incorrect|missing|expired|no|malformed|provide (?:an?|your)|bad|wrong)\b.{0,20}(?:api[- _]?key|x-api-key|api token|access token|auth(?:orization)? (?:header|token)|credentials|subscription key|bearer)|unauthori[sz]ed|not authenticated|authentication (?:failed|error|required)|unregistered callers|request signature we calculated|signature (?:has )?expired|could not resolve authentication/is,
  },
  {
    kind: 'permission',
    pattern:
      /permission|(?:do(?:es)? not|don['’]t) have access\b|have not been submitted for (?:this|your) account|fill out .{0,80}\bform\b|not (?:yet )?(?:available|included) (?:for|in|on|with) (?:this|your) (?:subscription|plan|account|organization|tier)|(?:account|organization) (?:has been|is) (?:disabled|suspended|deactivated)|not (?:allowed|authorized|authorised) to|access (?:is )?denied|forbidden/is,
  },
  {
    kind: 'server_error',
    pattern: /\b(?:model|server|runner|worker|process|engine)\b.{0,20}\b(?:crashed|unexpectedly stopped|died)\b/is,
  },
  { kind: 'timeout', pattern: /timed?[ -]?out\b|deadline exceeded|took too long/is },
  {
    kind: 'cancelled_upstream',
    pattern: /client closed request|cancell?ed by (?:the )?(?:user|client)|request (?:was )?cancell?ed/is,
  },
  {
    kind: 'invalid_request',
    pattern:
      /invalid url|unknown (?:request )?url|page not found|file not found|unexpected endpoint|does not support|not supported|unsupported|must be |is required|field required/is,
  },
]

/** A quota of nothing: the one limit that no moment of return can lift. */
const limitOfNothing = /limit:\s{0,3}0(?![\d.])/i

const limitOfDay = /\bper[- ]day\b|\bdaily\b.{0,20}\b(?:limit|quota)\b/i

export const speaksOfDay = (texts: readonly string[]): boolean => texts.some(text => limitOfDay.test(text))
export const speaksOfNoQuota = (texts: readonly string[]): boolean => texts.some(text => limitOfNothing.test(text))
export const speaksOfTier = (texts: readonly string[]): boolean => texts.some(text => largerThanTier.test(text))

/** The kind that the sentences mean, among those that the caller takes from sentences. */
export function kindByText(
  texts: readonly string[],
  allowed: ReadonlySet<FailureKind> | 'all',
): FailureKind | undefined {
  for (const rule of rules) {
    if (allowed !== 'all' && !allowed.has(rule.kind)) continue
    if (texts.some(text => rule.pattern.test(text))) return rule.kind
  }
  return undefined
}
