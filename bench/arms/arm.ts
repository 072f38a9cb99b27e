export const armNames = ['node', 'bare', 'tenure', 'langgraph'] as const;

/** One way to answer a turn, started as processes of its own and asked over HTTP. */
export interface Arm {
  readonly name: (typeof armNames)[number];
  /** Opens a conversation; its `ask` resolves once the answer is there. */
  openSession(): Promise<Conversation>;
  /** Processes whose CPU time is ours to answer for; Temporal, AWS and Valkey are counted apart. */
  readonly pids: () => readonly number[];
  /** Processes of servers that this arm alone runs on, counted with those all of them share. */
  readonly serverPids?: () => readonly number[];
  /** Of what it is made of, for the report. */
  readonly versions?: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export interface Conversation {
  /** @returns what the agent says. */
  ask(text: string): Promise<string>;
  /** Id of the workflow behind it, if there is one. */
  readonly workflowId: string | undefined;
}
