const green = (text: string) => `\u001b[32m${text}\u001b[0m`;
const red = (text: string) => `\u001b[31m${text}\u001b[0m`;
const dim = (text: string) => `\u001b[2m${text}\u001b[0m`;

interface Claim {
  readonly chapter: string;
  readonly claim: string;
  readonly holds: boolean;
}

/** Tells the story on the terminal, and keeps count of what it proved. */
export class Report {
  private readonly claims: Claim[] = [];
  private readonly durationsMs = new Map<string, number>();
  private chapter = '';

  /** One step of the story, with its duration. */
  async tell<T>(title: string, step: () => Promise<T>): Promise<T> {
    this.chapter = title;
    console.log(`\n▶ ${title}`);
    const startedAtMs = performance.now();
    try {
      return await step();
    } finally {
      const durationMs = performance.now() - startedAtMs;
      this.durationsMs.set(title, durationMs);
      console.log(dim(`  ${(durationMs / 1_000).toFixed(1)} s`));
    }
  }

  say(line: string): void {
    console.log(`  ${line}`);
  }

  /** Something the story promises. It goes on when it does not hold, and fails at the end. */
  claim(claim: string, holds: boolean, found = ''): void {
    this.claims.push({ chapter: this.chapter, claim, holds });
    console.log(holds ? `  ${green('✓')} ${claim}` : `  ${red('✗')} ${claim}${found ? `: ${found}` : ''}`);
  }

  /** @returns whether every claim held. */
  summarize(): boolean {
    console.log('\nSummary');
    const chapters = [...this.durationsMs].map(([chapter, durationMs]) => {
      const claims = this.claims.filter((claim) => claim.chapter === chapter);
      return { step: chapter, seconds: Number((durationMs / 1_000).toFixed(1)), held: `${claims.filter(({ holds }) => holds).length} of ${claims.length}` };
    });
    console.table(chapters);
    const broken = this.claims.filter(({ holds }) => !holds);
    console.log(broken.length === 0 ? green(`All ${this.claims.length} claims held.`) : red(`${broken.length} of ${this.claims.length} claims did not hold:`));
    for (const { chapter, claim } of broken) console.log(`  ${chapter}: ${claim}`);
    return broken.length === 0;
  }
}
