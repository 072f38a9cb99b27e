import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { CaseRun, SessionCase } from './case';
import { type Held, type MomentName, moments } from './moments';
import type { Stage } from './stage';
import { problemsOfTurn } from './verdict';

type Victim = 'api' | 'worker' | 'temporal' | 'valkey' | 'aws' | 'model';

/** Longer than the clients' patience, so that requests fail and are tried again. */
const outageMs = 6_500;

/** SIGKILL; who supervises the platform starts it again. */
const killed = (victim: Victim, moment: MomentName): SessionCase => ({
  id: `${victim} killed ${moment}`,
  run: (stage, size) =>
    harm(stage, moment, size, async (held) => {
      stage.platform.services[victim].kill('SIGKILL');
      await held.letGo();
    }),
});

/** It stands still, with all its connections open. */
const away = (victim: Victim, moment: MomentName): SessionCase => ({
  id: `${victim} away ${moment}`,
  run: (stage, size) =>
    harm(stage, moment, size, async (held) => {
      const service = stage.platform.services[victim];
      service.kill('SIGSTOP');
      const back = delay(outageMs).then(() => service.kill('SIGCONT'));
      // The one that stands still cannot be told to let go.
      if (victim === 'model') await back;
      await held.letGo();
      await back;
    }),
});

/** Another worker is there meanwhile: what the one that goes had in hand is the other's. Nobody starts it again. */
const oneOfTwo = (words: 'killed' | 'stopped in order', moment: MomentName): SessionCase => ({
  id: `one of two workers ${words} ${moment}`,
  async run(stage, size) {
    const second = stage.platform.anotherWorker(`worker-${randomUUID()}`, {});
    await second.start();
    try {
      return await harm(stage, moment, size, async (held) => {
        const gone = second.stop(words === 'killed' ? 'SIGKILL' : 'SIGTERM');
        await held.letGo();
        await gone;
      });
    } finally {
      await second.stop();
    }
  },
});

const dayMs = 86_400_000;

/** The worker's clock is set, and set right when the turns have ended. */
const clockSet = (byMs: number, words: string, moment: MomentName): SessionCase => ({
  id: `the clock of the worker set ${words} ${moment}`,
  async run(stage, size) {
    try {
      return await harm(stage, moment, size, async (held) => {
        await stage.platform.moveClock('worker', byMs);
        await held.letGo();
      });
    } finally {
      await stage.platform.moveClock('worker', 0);
    }
  },
});

async function harm(stage: Stage, moment: MomentName, size: number, act: (held: Held) => Promise<void>): Promise<CaseRun> {
  const { user, shop } = stage;
  const placedBefore = shop.placed;
  const held = await moments[moment](stage, size);
  const sessions = await Promise.all(held.prompts.map(() => user.open()));
  const asked = Promise.all(held.prompts.map((prompt, index) => user.ask(sessions[index] ?? '', prompt)));
  await Promise.race([held.reached(), asked]);
  await act(held);
  const turns = await asked;
  const problems = await Promise.all(turns.map((turn) => problemsOfTurn(user, turn, held.saysWhatItShould)));
  const placed = shop.placed - placedBefore;
  return { turns: turns.length, problems: [...problems.flat(), ...(placed === held.orders ? [] : [`${held.orders} orders were asked for, ${placed} were placed`])] };
}

const everyMoment = Object.keys(moments) as MomentName[];

/** Each process at each moment of a turn it has a part in. */
export const harms: readonly SessionCase[] = [
  ...everyMoment.map((moment) => killed('worker', moment)),
  ...(['in the answer', 'in a tool'] as const).flatMap((moment) => [oneOfTwo('killed', moment), oneOfTwo('stopped in order', moment)]),
  ...(['before the model', 'in the answer', 'in a tool'] as const).flatMap((moment) => [killed('api', moment), killed('temporal', moment)]),
  ...(['in the answer', 'in a tool'] as const).map((moment) => killed('valkey', moment)),
  ...(['aws', 'model', 'valkey', 'temporal'] as const).map((victim) => away(victim, 'in the answer')),
  ...(['in the answer', 'in a tool'] as const).flatMap((moment) => [clockSet(dayMs, 'a day ahead', moment), clockSet(-dayMs, 'a day back', moment)]),
];
