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
  | { readonly role: 'assistant'; readonly content: readonly ({ readonly text: string } | ToolUseBlock)[] };

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
