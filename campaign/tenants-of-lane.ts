import type { Operation } from '../src/contracts/operation';
import type { Lane } from './lane';
import { problemsOfEmptiness, problemsOfGone, problemsOfWhole, settled, type Shape, shapeOf } from './verdict';

/**
 * The tenants of a lane: a bystander that nothing may happen to, and those that one case leaves whole for another one to offboard.
 */
export class Tenants {
  private count = 0;
  private readonly spare: string[] = [];

  private constructor(
    private readonly lane: Lane,
    /** The onboarding of one to whom nothing happens. */
    readonly bystander: Operation,
    /** What a tenant owns that no fault has met. */
    readonly whole: Shape,
  ) {}

  /** Onboards the bystander: what it owns is what a whole tenant owns. */
  static async begin(lane: Lane): Promise<Tenants> {
    const bystander = await onboard(lane, `${lane.name}-bystander`);
    return new Tenants(lane, bystander, shapeOf(await lane.inventory(bystander.tenantId, bystander.operationId)));
  }

  newId(): string {
    this.count += 1;
    return `${this.lane.name}-t${this.count}`;
  }

  /** A whole tenant, with an object in its bucket. */
  async take(): Promise<string> {
    const tenantId = this.spare.pop() ?? (await onboard(this.lane, this.newId())).tenantId;
    await this.lane.keepObject(tenantId);
    return tenantId;
  }

  giveBack(tenantId: string): void {
    this.spare.push(tenantId);
  }

  /** Whether what is done to others shows in the bystander. */
  problemsOfBystander(): Promise<string[]> {
    const { tenantId, operationId } = this.bystander;
    return settled(async () => {
      const [record, owned] = await Promise.all([this.lane.adapters.registry.get(tenantId), this.lane.inventory(tenantId, operationId)]);
      const isWhole = record?.status === 'active' && JSON.stringify(shapeOf(owned)) === JSON.stringify(this.whole);
      return isWhole ? [] : [`the bystander is ${record?.status ?? 'absent'} and owns ${JSON.stringify(shapeOf(owned))}`];
    });
  }

  /** Offboards what is left; then nothing of any tenant may be there. @returns what is wrong. */
  async end(): Promise<string[]> {
    const problems = await problemsOfWhole(this.lane, this.bystander, this.whole);
    for (const tenantId of [...this.spare.splice(0), this.bystander.tenantId]) {
      const ended = await this.lane.awaitEnd((await this.lane.beginOffboarding(tenantId, `at the end ${tenantId}`)).operationId);
      problems.push(...(ended.state === 'completed' ? await problemsOfGone(this.lane, ended, true) : [`${tenantId} could not be offboarded: it ended ${ended.state}`]));
    }
    return [...problems, ...(await problemsOfEmptiness(this.lane))];
  }
}

async function onboard(lane: Lane, tenantId: string): Promise<Operation> {
  const ended = await lane.awaitEnd((await lane.beginOnboarding(tenantId, `whole ${tenantId}`)).operationId);
  if (ended.state !== 'completed') throw new Error(`${tenantId} could not be onboarded: ${ended.error?.code ?? ''} ${ended.error?.message ?? ''}`);
  return ended;
}
