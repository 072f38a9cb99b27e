import type { AgentPin } from '../../contracts/agent';
import type { Errand } from '../../contracts/session';
import type { AgentConfig } from '../../contracts/tenant';
import { settingsOnErrand } from '../../domain/called-agents';
import type { SessionStepDeps } from './deps';

/** Whose settings: of the version a session keeps to, or of the configuration its turn began with; without either, of the one in force. */
export interface AgentOfTurn {
  readonly tenantId: string;
  readonly agent?: AgentPin;
  readonly configVersion?: number;
  /** What its session was opened for, by a call of another agent. */
  readonly errand?: Errand;
}

/** @throws DomainError `agent/not-found`, `config/unreadable` */
export async function agentOf({ agents, configs }: Pick<SessionStepDeps, 'agents' | 'configs'>, { tenantId, agent: pin, configVersion, errand }: AgentOfTurn): Promise<{ version: number; agent: AgentConfig }> {
  if (pin) return { version: pin.version, agent: bounded((await agents.version(tenantId, pin)).settings, errand) };
  if (configVersion === undefined) return configs.current(tenantId);
  return { version: configVersion, agent: await configs.version(tenantId, configVersion) };
}

const bounded = (settings: AgentConfig, errand: Errand | undefined): AgentConfig => (errand ? settingsOnErrand(settings, errand) : settings);
