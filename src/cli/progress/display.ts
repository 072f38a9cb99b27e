import type { Operation } from '../../contracts/operation';
import type { Output } from '../terminal/output';
import { durationOf, printable, wordsOf } from '../terminal/table';
import { StepNews } from './news';
import { renderOperation } from './render';

/** Shows an operation while it runs. */
export interface Display {
  show(operation: Operation): void;
  /** What the matter is while nothing is heard of the API; undefined when it is over. */
  trouble(message: string | undefined): void;
  end(): void;
}

/** One that draws itself anew on a terminal; lines, a step each, elsewhere; none when only the result is wanted. */
export function createDisplay(out: Output): Display {
  if (out.json || out.quiet) return { show: () => undefined, trouble: () => undefined, end: () => undefined };
  return out.isLive ? new LiveDisplay(out) : plainDisplay(out);
}

const redrawMs = 120;
const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';

class LiveDisplay implements Display {
  private operation: Operation | undefined;
  private message: string | undefined;
  private drawnLines = 0;
  private readonly timer = setInterval(() => this.draw(), redrawMs);
  private readonly restore = () => void process.stdout.write(showCursor);

  constructor(private readonly out: Output) {
    out.write(hideCursor);
    process.once('exit', this.restore);
  }

  show(operation: Operation): void {
    this.operation = operation;
    this.message = undefined;
    this.draw();
  }

  trouble(message: string | undefined): void {
    this.message = message;
  }

  end(): void {
    clearInterval(this.timer);
    this.draw();
    process.removeListener('exit', this.restore);
    this.restore();
  }

  private draw(): void {
    if (!this.operation) return;
    // A terminal that does not know its size says 0.
    const columns = process.stdout.columns || 80;
    const rows = (process.stdout.rows || 24) - 1;
    const lines = renderOperation(this.operation, { paint: this.out.paint, nowMs: Date.now(), columns, rows });
    if (this.message !== undefined) lines.push(this.out.paint('yellow', this.message.slice(0, columns)));
    const back = this.drawnLines === 0 ? '' : `\u001b[${this.drawnLines}A\u001b[0J`;
    this.out.write(`${back}${lines.join('\n')}\n`);
    this.drawnLines = lines.length;
  }
}

function plainDisplay(out: Output): Display {
  const news = new StepNews();
  return {
    show(operation) {
      for (const { name, state, attempt = 1, durationMs, error } of news.of(operation)) {
        const facts = [...(durationMs === undefined || state === 'skipped' ? [] : [durationOf(durationMs)]), ...(attempt > 1 ? [`attempt ${attempt}`] : []), ...(error === undefined ? [] : [printable(error)])];
        out.write(`  ${state.padEnd(11)} ${name}${facts.length === 0 ? '' : `  (${facts.join(', ')})`}\n`);
      }
      if (operation.finishedAt !== undefined)
        out.write(`${wordsOf(operation.kind)} of ${operation.tenantId}: ${operation.state}${operation.error ? ` — ${operation.error.code}: ${printable(operation.error.message)}` : ''}\n`);
    },
    trouble(message) {
      if (message !== undefined) out.note(message);
    },
    end: () => undefined,
  };
}
