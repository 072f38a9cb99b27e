import { painter } from '../../cli/terminal/paint';
import { tableOf } from '../../cli/terminal/table';

const paint = painter(true, process.stdout);
const green = (text: string) => paint('green', text);
const red = (text: string) => paint('red', text);
const dim = (text: string) => paint('dim', text);

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
    const chapters = [...this.durationsMs].map(([chapter, durationMs]) => ({ chapter, durationMs, claims: this.claims.filter((claim) => claim.chapter === chapter) }));
    const columns = [
      { title: 'seconds', of: ({ durationMs }: (typeof chapters)[number]) => (durationMs / 1_000).toFixed(1) },
      { title: 'held', of: ({ claims }: (typeof chapters)[number]) => (claims.length === 0 ? undefined : `${claims.filter(({ holds }) => holds).length} of ${claims.length}`) },
      { title: 'step', of: ({ chapter }: (typeof chapters)[number]) => chapter },
    ];
    console.log(tableOf(chapters, columns, paint));
    const broken = this.claims.filter(({ holds }) => !holds);
    console.log(broken.length === 0 ? green(`All ${this.claims.length} claims held.`) : red(`${broken.length} of ${this.claims.length} claims did not hold:`));
    for (const { chapter, claim } of broken) console.log(`  ${chapter}: ${claim}`);
    return broken.length === 0;
  }
}
