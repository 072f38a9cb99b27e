/** What a model reads and writes, in Converse's terms. */

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the input. */
  readonly inputSchema: JsonValue;
}

export type ModelMessage =
  | { readonly role: 'user'; readonly content: readonly ({ readonly text: string } | ToolResultBlock)[] }
  | { readonly role: 'assistant'; readonly content: readonly ({ readonly text: string } | ToolUseBlock | ReasoningBlock)[] };

/** What a model thought before it answered, as it must be shown to it again: signed, or in a form that only its maker can read (base64). */
export type Reasoning = { readonly text: string; readonly signature?: string | undefined } | { readonly redacted: string };

export interface ReasoningBlock {
  readonly reasoning: Reasoning;
}

export interface ToolUseBlock {
  readonly toolUse: { readonly callId: string; readonly name: string; readonly input: JsonValue };
}

export interface ToolResultBlock {
  readonly toolResult: { readonly callId: string; readonly output: JsonValue; readonly isError: boolean };
}

/** Of one request to the model. */
export interface RequestSize {
  /** Of all that the model reads, as UTF-8. */
  readonly bytes: number;
  readonly characters: number;
}
