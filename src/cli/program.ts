import { Command } from 'commander';
import { version } from '../../package.json';
import { addCommands, type CommandSpec, type GroupSpec } from './command';
import { accountCommands } from './commands/account';
import { agentCommands } from './commands/agent';
import { apiKeyCommands } from './commands/api-key';
import { machineClientCommands } from './commands/machine-client';
import { approvalCommands } from './commands/approval';
import { auditCommands } from './commands/audit';
import { backupCommands } from './commands/backup';
import { certificateCommands } from './commands/certificate';
import { completionCommand } from './commands/completion';
import { doctorCommand } from './commands/doctor';
import { maintenanceCommands } from './commands/maintenance';
import { erasureCommands } from './commands/erasure';
import { memoryCommands } from './commands/memory';
import { operationCommands } from './commands/operation';
import { scheduleCommands } from './commands/schedule';
import { sessionCommands } from './commands/session';
import { tenantCommands } from './commands/tenant';
import { toolSourceCommands } from './commands/tool-source';
import { userCommands } from './commands/tenant-users';

/** Everything `tenure` can do. What is here is what help, completion and docs/cli.md tell. */
const commands: readonly (CommandSpec | GroupSpec)[] = [...accountCommands, tenantCommands, agentCommands, userCommands, apiKeyCommands, machineClientCommands, backupCommands, certificateCommands, auditCommands, operationCommands, maintenanceCommands, sessionCommands, memoryCommands, erasureCommands, scheduleCommands, approvalCommands, toolSourceCommands, doctorCommand, completionCommand];

/** The command line, ready to parse. It throws CommanderError instead of ending the process. */
export function createProgram(): Command {
  const program = new Command('tenure')
    .description('Run AI agents for every one of your customers.')
    .version(version)
    .option('--api <url>', 'the API to talk to; else TENURE_API_URL, the local stack here, your last login')
    .option('--json', 'results as JSON, as the API has them')
    .option('--quiet', 'results only: no remarks, no progress')
    .option('--no-color', 'no colours; the default with NO_COLOR, and where the output is no terminal')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .showSuggestionAfterError()
    .showHelpAfterError('(--help shows how it is used)')
    .exitOverride();
  addCommands(program, commands);
  return program;
}
