import type { DocumentFormat, ImageFormat } from './attachment-types';

/** What a model reads and writes, in Converse's terms. */

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the input. */
  readonly inputSchema: JsonValue;
}

export type ModelMessage =
  | { readonly role: 'user'; readonly content: readonly ({ readonly text: string } | ToolResultBlock | ImageBlock | DocumentBlock)[] }
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

export interface ImageBlock {
  readonly image: { readonly format: ImageFormat; readonly content: Uint8Array };
}

export interface DocumentBlock {
  /** `name`: unique in the request; letters, digits, single spaces, hyphens, parentheses and brackets. */
  readonly document: { readonly format: DocumentFormat; readonly name: string; readonly content: Uint8Array };
}

/** Of one request to the model. */
export interface RequestSize {
  /** Of all text that the model reads, as UTF-8. */
  readonly bytes: number;
  readonly characters: number;
  /** Tokens that images and documents make: at most, and about. */
  readonly attached: { readonly mostTokens: number; readonly likelyTokens: number };
}
