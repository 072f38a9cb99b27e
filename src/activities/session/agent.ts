import type { AgentPin } from '../../contracts/agent';
import type { AgentConfig } from '../../contracts/tenant';
import type { SessionStepDeps } from './deps';

/** Whose settings: of the version a session keeps to, or of the configuration its turn began with; without either, of the one in force. */
export interface AgentOfTurn {
  readonly tenantId: string;
  readonly agent?: AgentPin;
  readonly configVersion?: number;
}

/** @throws DomainError `agent/not-found`, `config/unreadable` */
export async function agentOf({ agents, configs }: Pick<SessionStepDeps, 'agents' | 'configs'>, { tenantId, agent: pin, configVersion }: AgentOfTurn): Promise<{ version: number; agent: AgentConfig }> {
  if (pin) return { version: pin.version, agent: (await agents.version(tenantId, pin)).settings };
  if (configVersion === undefined) return configs.current(tenantId);
  return { version: configVersion, agent: await configs.version(tenantId, configVersion) };
}
