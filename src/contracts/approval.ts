import { z } from 'zod';

const comparators = ['equals', 'not_equals', 'one_of', 'more_than', 'at_least', 'less_than', 'at_most', 'starts_with', 'ends_with', 'contains', 'present', 'absent'] as const;
export type Comparator = (typeof comparators)[number];

/** What an argument of a call must be. Compared without conversion: the text "5" is no number. */
export const ArgumentCondition = z
  .strictObject({
    /** JSON Pointer (RFC 6901) into the arguments: `/body/amount`. */
    pointer: z.string().max(256).regex(/^(\/([^~/]|~[01])*)*$/, 'a JSON Pointer such as /body/amount'),
    is: z.enum(comparators),
    /** A list for `one_of`, a number or text for the others; none for `present` and `absent`. */
    value: z.json().optional(),
  })
  .superRefine(({ is, value }, context) => {
    const problem = problemWithValue(is, value);
    if (problem !== undefined) context.addIssue({ code: 'custom', path: ['value'], message: problem });
  });
export type ArgumentCondition = z.infer<typeof ArgumentCondition>;

function problemWithValue(is: Comparator, value: unknown): string | undefined {
  if (is === 'present' || is === 'absent') return value === undefined ? undefined : `${is} takes no value`;
  if (value === undefined) return `${is} needs a value`;
  if (is === 'one_of') return Array.isArray(value) ? undefined : 'one_of needs a list';
  if (['more_than', 'at_least', 'less_than', 'at_most'].includes(is)) return typeof value === 'number' ? undefined : `${is} needs a number`;
  if (['starts_with', 'ends_with', 'contains'].includes(is)) return typeof value === 'string' ? undefined : `${is} needs a text`;
  return undefined;
}

/** How people are asked. */
const Terms = z.strictObject({
  /** People who must approve; one who denies is enough to deny. */
  quorum: z.number().int().min(1).max(10),
  /** Whether the user whose session it is may not approve, nor who edited the arguments. */
  notRequester: z.boolean(),
  expiresAfterSeconds: z.number().int().min(1).max(604_800),
  /** What is decided when nobody does in time. */
  onExpiry: z.enum(['deny', 'approve']),
});
export type ApprovalTerms = z.infer<typeof Terms>;

export const Ruling = z.enum(['allow', 'deny', 'ask']);
export type Ruling = z.infer<typeof Ruling>;

export const ApprovalRule = Terms.partial().extend({
  /** A tool's name, or the beginning of names that ends in `*`. */
  tool: z.string().min(1).max(64),
  /** All must hold. */
  when: z.array(ArgumentCondition).max(16).default([]),
  decision: Ruling,
});
export type ApprovalRule = z.infer<typeof ApprovalRule>;

/** Which tool calls of an agent need a person. Without a policy none does. */
export const ApprovalPolicy = z.strictObject({
  /** The first that fits decides. */
  rules: z.array(ApprovalRule).max(64).default([]),
  /** For calls no rule fits, by what the tool does. */
  otherwise: z.strictObject({ read: Ruling.default('allow'), idempotent: Ruling.default('allow'), write: Ruling.default('ask') }).prefault({}),
  /** For rules that do not say. */
  terms: Terms.partial().default({}),
});
export type ApprovalPolicy = z.infer<typeof ApprovalPolicy>;

/** Who is told, by a webhook signed as Standard Webhooks has it, when a call waits for a person. */
export const ApprovalWebhook = z.strictObject({
  /** Its origin must be among the agent's `allowedOrigins`. */
  url: z.url({ protocol: /^https?$/ }).max(2_048),
  /** `whsec_` and 24-64 bytes in Base64. Never shown; left out, it stays what it was. */
  secret: z.string().regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/, 'whsec_ and 24-64 bytes in Base64').optional(),
});
export type ApprovalWebhook = z.infer<typeof ApprovalWebhook>;

/** How an approval ended; `edited` gave way to another with other arguments. */
export const approvalDecisions = ['approved', 'denied', 'edited', 'cancelled'] as const;
export type ApprovalDecision = (typeof approvalDecisions)[number];
export const ApprovalState = z.enum(['waiting', ...approvalDecisions]);
export type ApprovalState = z.infer<typeof ApprovalState>;

/** An approval as the tenant's list keeps it; the log has what was said. */
export const ApprovalRecord = z.object({
  approvalId: z.string(),
  tenantId: z.string(),
  sessionId: z.string(),
  turnId: z.string(),
  step: z.number().int(),
  callId: z.string(),
  tool: z.string(),
  /** SHA-256 of the arguments in canonical JSON (RFC 8785). */
  argumentsHash: z.string(),
  /** Of the agent's configuration that asks. */
  policyVersion: z.number().int(),
  /** Whose session it is. */
  userId: z.string(),
  notRequester: z.boolean(),
  quorum: z.number().int(),
  requestedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  onExpiry: z.enum(['deny', 'approve']),
  /** Sequence number of the event that holds the arguments. */
  argumentsAt: z.number().int(),
  /** The approval whose arguments were edited. */
  replaces: z.string().optional(),
  state: ApprovalState,
  /** Users who decided. */
  by: z.array(z.string()).optional(),
  /** Nobody decided in time. */
  expired: z.literal(true).optional(),
  decidedAt: z.iso.datetime().optional(),
});
export type ApprovalRecord = z.infer<typeof ApprovalRecord>;

export const maxNoteCharacters = 2_000;

/** A person's decision. What they said of it is stored under its id. */
export interface Decision {
  readonly approvalId: string;
  /** The same for the same decision of the same person, however often it is sent. */
  readonly decisionId: string;
  /** Who decides, as the token says. */
  readonly by: string;
  readonly decision: 'approve' | 'deny' | 'edit';
  /** Of the call it is about; absent in decisions of earlier releases. */
  readonly turnId?: string;
  readonly step?: number;
}
