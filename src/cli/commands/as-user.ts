import { groups } from '../../contracts/names';
import type { Cli } from '../cli';

/** Of commands that act as a user of a tenant, in sessions of their own. */
export interface AsUser {
  readonly user: string;
}

export const access = (cli: Cli, tenantId: string, { user }: AsUser) => cli.tenantUser(tenantId, { email: user, groups: [groups.members] });
