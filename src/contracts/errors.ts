/** One row per thing that can go wrong: HTTP status, public title, and whether trying again can help. */
interface ErrorSpec {
  status: number;
  title: string;
  retryable: boolean;
}

export const errors = {
  'request/malformed': { status: 400, title: 'The request is not valid', retryable: false },
  'request/too-large': { status: 413, title: 'The request body is too large', retryable: false },
  'cursor/unknown': { status: 422, title: 'The list has no such place', retryable: false },
  'request/inconsistent': { status: 422, title: 'Parts of the request do not go together', retryable: false },
  'request/head-too-large': { status: 431, title: 'The address and headers are too large', retryable: false },
  'request/timeout': { status: 408, title: 'The request did not arrive in time', retryable: true },
  'request/not-found': { status: 404, title: 'There is nothing at this address', retryable: false },
  'request/method-not-allowed': { status: 405, title: 'This address does not answer that method', retryable: false },
  'request/unsupported-media-type': { status: 415, title: 'Send JSON', retryable: false },
  'request/rate-limited': { status: 429, title: 'Too many requests', retryable: true },
  'idempotency/key-reused': { status: 422, title: 'This Idempotency-Key was used for another request', retryable: false },
  'auth/unauthenticated': { status: 401, title: 'A valid access token is required', retryable: false },
  'auth/too-many-failures': { status: 429, title: 'Too many refused credentials', retryable: true },
  'auth/forbidden': { status: 403, title: 'Your groups do not allow this', retryable: false },
  'user/not-found': { status: 404, title: 'User not found', retryable: false },
  'api-key/not-found': { status: 404, title: 'API key not found', retryable: false },
  'api-key/shown': { status: 409, title: 'The API key was shown already', retryable: false },
  'api-key/too-many': { status: 409, title: 'The tenant has too many API keys', retryable: false },
  'machine-client/not-found': { status: 404, title: 'Machine client not found', retryable: false },
  'machine-client/shown': { status: 409, title: 'The secret was shown already', retryable: false },
  'machine-client/too-many': { status: 409, title: 'The tenant has too many machine clients', retryable: false },
  'machine-client/too-many-secrets': { status: 409, title: 'The machine client has too many secrets that are good', retryable: false },
  'machine-client/changed': { status: 409, title: 'The machine client was rotated or revoked meanwhile', retryable: false },
  'limit/streams': { status: 429, title: 'Too many streams are open', retryable: true },
  'limit/turns': { status: 429, title: 'Too many turns are under way', retryable: true },
  'limit/sessions': { status: 429, title: 'Too many sessions are at work', retryable: true },
  'message/too-long': { status: 413, title: 'The message is too long', retryable: false },
  'attachment/not-found': { status: 404, title: 'Attachment not found', retryable: false },
  'attachment/unsupported-type': { status: 415, title: 'Nothing of this type can be attached', retryable: false },
  'attachment/too-large': { status: 413, title: 'The attachment is too large', retryable: false },
  'attachment/wrong-content': { status: 422, title: 'The attachment is not what its type says', retryable: false },
  'attachment/too-many': { status: 422, title: 'Too much is attached', retryable: false },
  'attachment/busy': { status: 503, title: 'Too many uploads are under way', retryable: true },
  'tenant/not-found': { status: 404, title: 'Tenant not found', retryable: false },
  'tenant/unreadable': { status: 500, title: "The tenant's entry in the registry cannot be read", retryable: false },
  'tenant/exists': { status: 409, title: 'This tenant id is taken', retryable: false },
  'tenant/not-active': { status: 409, title: 'The tenant is not active', retryable: false },
  'tenant/leaving': { status: 409, title: 'The tenant is leaving, and takes no new work', retryable: false },
  'tenant/suspended': { status: 409, title: 'The tenant is suspended', retryable: false },
  'tenant/not-suspended': { status: 409, title: 'The tenant is not suspended', retryable: false },
  'tenant/busy': { status: 409, title: 'Another operation works on this tenant', retryable: true },
  'tenant/not-deleted': { status: 409, title: 'The tenant has not been deleted', retryable: false },
  'tenant/id-kept': { status: 409, title: 'The id of the deleted tenant is still kept from reuse', retryable: false },
  'certificate/not-found': { status: 404, title: 'There is no deletion certificate of this tenant', retryable: false },
  'erasure/not-found': { status: 404, title: 'Erasure not found', retryable: false },
  'erasure/incomplete': { status: 502, title: 'Something is left of what is being erased', retryable: true },
  'tier/unknown': { status: 422, title: 'There is no such tier', retryable: false },
  'tier/not-allowed': { status: 422, title: 'The tier does not allow this', retryable: false },
  'key/not-rotated': { status: 502, title: 'The key could not be rotated', retryable: false },
  'operation/not-found': { status: 404, title: 'Operation not found', retryable: false },
  'operation/not-cancellable': { status: 409, title: 'The operation can no longer be cancelled', retryable: false },
  'operation/called-off': { status: 409, title: 'An operation it relies on was called off', retryable: false },
  'operation/nothing-to-retry': { status: 409, title: 'Nothing waits to be tried again', retryable: false },
  'session/not-found': { status: 404, title: 'Session not found', retryable: false },
  'session/closed': { status: 409, title: 'The session is closed', retryable: false },
  'session/exists': { status: 409, title: 'This session id is taken', retryable: false },
  'session/busy': { status: 409, title: 'The session is working on another message', retryable: true },
  'session/inbox-full': { status: 429, title: 'Too many messages wait in this session', retryable: true },
  'session/of-agent': { status: 409, title: 'The session belongs to a call of an agent', retryable: false },
  'session/other-agent': { status: 409, title: 'The session has another agent', retryable: false },
  'agent/not-found': { status: 404, title: 'Agent not found', retryable: false },
  'agent/exists': { status: 409, title: 'There is an agent of this name', retryable: false },
  'agent/archived': { status: 409, title: 'The agent was archived', retryable: false },
  'agent/changed': { status: 412, title: 'The agent has changed meanwhile', retryable: false },
  'agent/busy': { status: 409, title: 'Others change the agent just now', retryable: true },
  'agent/too-many': { status: 409, title: 'There are too many already', retryable: false },
  'agent/no-place': { status: 429, title: 'There is no place for the agent that was called', retryable: false },
  'agent/unanswered': { status: 502, title: 'The agent that was called gave no answer', retryable: false },
  'agent/invalid': { status: 422, title: 'The agent contradicts itself', retryable: false },
  'memory/not-found': { status: 404, title: 'Fact not found', retryable: false },
  'schedule/not-found': { status: 404, title: 'Schedule not found', retryable: false },
  'schedule/exists': { status: 409, title: 'There is a schedule of this name', retryable: false },
  'schedule/changed': { status: 409, title: 'The schedule has changed meanwhile', retryable: false },
  'schedule/too-many': { status: 409, title: 'There are too many schedules', retryable: false },
  'schedule/too-often': { status: 422, title: 'The tier does not allow runs so often', retryable: false },
  'schedule/invalid': { status: 422, title: 'Nothing can run at these times', retryable: false },
  'schedule/owner-refused': { status: 403, title: 'Who made the schedule may not run it', retryable: false },
  'turn/not-found': { status: 404, title: 'Turn not found', retryable: false },
  'turn/running': { status: 409, title: 'The turn has not ended', retryable: true },
  'turn/ended': { status: 409, title: 'The turn has ended', retryable: false },
  'turn/copied': { status: 409, title: 'The turn belongs to another session', retryable: false },
  'log/moved': { status: 409, title: 'The log has grown meanwhile', retryable: true },
  'log/unread': { status: 409, title: 'The log holds more than the session knows', retryable: false },
  'turn/failed': { status: 502, title: 'The agent could not answer', retryable: true },
  'approval/not-found': { status: 404, title: 'Approval not found', retryable: false },
  'approval/closed': { status: 409, title: 'The approval no longer waits', retryable: false },
  'approval/own-request': { status: 403, title: 'Somebody else must approve this', retryable: false },
  'approval/already-voted': { status: 409, title: 'You have approved this already', retryable: false },
  'question/not-found': { status: 404, title: 'Question not found', retryable: false },
  'question/closed': { status: 409, title: 'The question no longer waits', retryable: false },
  'question/bad-answer': { status: 422, title: 'The question cannot be answered like this', retryable: false },
  'question/expired': { status: 409, title: 'Nobody answered in time', retryable: false },
  'question/nobody-there': { status: 409, title: 'There is nobody to ask', retryable: false },
  'budget/changed': { status: 412, title: 'The budgets have changed meanwhile', retryable: false },
  'budget/exhausted': { status: 402, title: 'The budget is used up', retryable: false },
  'model/no-price': { status: 422, title: 'Nobody has said what the model costs', retryable: false },
  'model/throttled': { status: 503, title: 'The model is busy', retryable: true },
  'model/unavailable': { status: 503, title: 'The model cannot be reached', retryable: true },
  'model/stream-broken': { status: 503, title: 'The model stopped in the middle of its answer', retryable: true },
  'model/refused': { status: 502, title: 'The model refused the request', retryable: false },
  'model/cut-off': { status: 502, title: 'The answer was cut at the largest length allowed', retryable: false },
  'model/guardrail-intervened': { status: 422, title: 'The guardrail intervened', retryable: false },
  'model/content-filtered': { status: 422, title: 'The content filter of the model withheld the answer', retryable: false },
  'model/malformed-output': { status: 502, title: 'The model wrote what cannot be read', retryable: true },
  'model/context-overflow': { status: 422, title: 'The conversation is too long for the model', retryable: false },
  'model/invalid-output': { status: 502, title: "The answer does not fit the agent's schema", retryable: false },
  'model/unknown-stop': { status: 502, title: 'The model stopped for an unknown reason', retryable: false },
  'tool/unknown': { status: 422, title: 'There is no such tool', retryable: false },
  'tool/invalid-input': { status: 422, title: 'The tool input does not fit its schema', retryable: false },
  'tool/egress-refused': { status: 422, title: 'Tools may not call this address', retryable: false },
  'tool/denied': { status: 403, title: 'The tool call was not allowed', retryable: false },
  'tool/bad-output': { status: 502, title: 'The tool answered something its schema does not allow', retryable: false },
  'tool/unreachable': { status: 424, title: 'The tool could not be reached', retryable: true },
  'tool/busy': { status: 503, title: 'The tool takes no calls just now', retryable: true },
  'tool/outcome-unknown': { status: 502, title: 'Nobody can say whether the tool has done it', retryable: false },
  'tool/no-undo': { status: 409, title: 'What the tool did cannot be taken back', retryable: false },
  'tool/refused': { status: 424, title: 'The tool refused the call', retryable: false },
  'tool/credential-refused': { status: 422, title: 'The credential of the tool is not accepted', retryable: false },
  'tool/scope-insufficient': { status: 422, title: 'The credential of the tool does not allow this', retryable: false },
  'tool/no-token': { status: 422, title: 'No token is to be had for the tool', retryable: false },
  'tool-source/not-found': { status: 404, title: 'There is no such source of tools', retryable: false },
  'tool-source/changed': { status: 409, title: 'The source of tools was changed meanwhile', retryable: false },
  'tool-source/too-many': { status: 409, title: 'The tenant has too many sources of tools', retryable: false },
  'tool-source/invalid': { status: 422, title: 'No tools can be made of this', retryable: false },
  'tool-source/unreachable': { status: 424, title: 'The source of tools does not answer', retryable: true },
  'tool/failed': { status: 424, title: 'The tool failed', retryable: true },
  'config/invalid': { status: 422, title: 'The configuration is not valid', retryable: false },
  'config/unreadable': { status: 503, title: 'The configuration cannot be read', retryable: true },
  'infrastructure/failed': { status: 502, title: 'The infrastructure could not be built', retryable: false },
  'maintenance/not-found': { status: 404, title: 'There is no such maintenance', retryable: false },
  'maintenance/running': { status: 409, title: 'This maintenance runs already', retryable: true },
  'infrastructure/name-taken': { status: 409, title: 'A name this tenant needs is taken', retryable: false },
  'backup/not-found': { status: 404, title: 'Backup not found', retryable: false },
  'backup/in-use': { status: 409, title: 'This backup is needed', retryable: false },
  'backup/incomplete': { status: 502, title: 'The backup differs from what it should hold', retryable: false },
  'audit/unavailable': { status: 503, title: 'The audit log cannot be written', retryable: true },
  'audit/broken': { status: 500, title: 'The audit log does not hold together', retryable: false },
  'payload/unreadable': { status: 400, title: 'The payload cannot be decrypted', retryable: false },
  'key/unavailable': { status: 503, title: 'The encryption key is disabled or deleted', retryable: true },
  'backup/possible': { status: 409, title: 'A backup can be taken', retryable: false },
  'restore/tenant-active': { status: 409, title: 'The tenant works: suspend it first', retryable: false },
  'infrastructure/quota-exceeded': { status: 503, title: 'A quota of the AWS account is used up', retryable: false },
  'dependency/denied': { status: 503, title: 'A service Tenure depends on does not allow this', retryable: true },
  'dependency/unavailable': { status: 503, title: 'A service Tenure depends on is not available', retryable: true },
  'internal/bug': { status: 500, title: 'Something went wrong on our side', retryable: true },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof errors;

export const isErrorCode = (value: unknown): value is ErrorCode => typeof value === 'string' && Object.hasOwn(errors, value);

/** An expected failure. `message` is public: it says what happened and what to do, and holds no secret. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  /** Seconds after which trying again makes sense. */
  readonly retryAfterSeconds: number | undefined;
  /** That what was asked for is another's, although the answer says that it is not there. Told to nobody but the audit log. */
  readonly isDenial: boolean;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions & { readonly retryAfterSeconds?: number; readonly isDenial?: boolean },
  ) {
    super(message, options);
    this.retryAfterSeconds = options?.retryAfterSeconds;
    this.isDenial = options?.isDenial ?? false;
  }
}

/** Walks `cause` to the code an error carries: of a DomainError, or of a Temporal failure whose `type` is a code. */
export const codeOf = (error: unknown): ErrorCode | undefined => expectedIn(error)?.code;

/** For `catch`: what fails with this code is not there. All else is thrown on. */
export const noneIf =
  (code: ErrorCode) =>
  (error: unknown): undefined => {
    if (codeOf(error) !== code) throw error;
  };

/** What may be said of an error to users: its own words when it is an expected one, the fallback's title otherwise. */
export const publicFailure = (error: unknown, fallback: ErrorCode): { code: ErrorCode; message: string } =>
  expectedIn(error) ?? { code: fallback, message: errors[fallback].title };

function expectedIn(error: unknown): { code: ErrorCode; message: string } | undefined {
  for (let link = error; link instanceof Error; link = link.cause) {
    if (link instanceof DomainError) return { code: link.code, message: link.message };
    if ('type' in link && isErrorCode(link.type)) return { code: link.type, message: link.message };
  }
  return undefined;
}
