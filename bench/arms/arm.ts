/** One way to answer a turn, started as processes of its own and asked over HTTP. */
export interface Arm {
  readonly name: 'node' | 'bare' | 'tenure';
  /** Opens a conversation; its `ask` resolves once the answer is there. */
  openSession(): Promise<Conversation>;
  /** Processes whose CPU time is ours to answer for; Temporal, AWS and Valkey are counted apart. */
  readonly pids: () => readonly number[];
  stop(): Promise<void>;
}

export interface Conversation {
  /** @returns what the agent says. */
  ask(text: string): Promise<string>;
  /** Id of the workflow behind it, if there is one. */
  readonly workflowId: string | undefined;
}
