import express, { type Express } from 'express';
import helmet from 'helmet';
import { z } from 'zod';
import { DomainError } from '../contracts/errors';
import { createConversations, type ConversationDeps } from './conversations';
import { mount, type MountDeps } from './mount';
import { openApiDocument } from './openapi';
import { problemHandler } from './problem';
import { requestContext, type RequestContextDeps } from './request-context';
import { publicRoute, type Route } from './route';
import { approvalRoutes, type ApprovalRoutesDeps } from './routes/approvals';
import { questionRoutes, type QuestionRoutesDeps } from './routes/questions';
import { agentsRoutes, type AgentsRoutesDeps } from './routes/agents';
import { agentRoutes, type AgentRoutesDeps } from './routes/agent';
import { attachmentRoutes, type AttachmentRoutesDeps } from './routes/attachments';
import { auditRoutes, type AuditRoutesDeps } from './routes/audit';
import { certificateRoutes, type CertificateRoutesDeps } from './routes/certificates';
import { codecRoutes, type CodecRoutesDeps } from './routes/codec';
import { apiKeyRoutes, type ApiKeyRoutesDeps } from './routes/api-keys';
import { machineClientRoutes, type MachineClientRoutesDeps } from './routes/machine-clients';
import { backupRoutes, type BackupRoutesDeps } from './routes/backups';
import { budgetRoutes, type BudgetRoutesDeps } from './routes/budgets';
import { configRoutes } from './routes/config';
import { diagnosticsRoutes, type DiagnosticsRoutesDeps } from './routes/diagnostics';
import { erasureRoutes, type ErasureRoutesDeps } from './routes/erasures';
import { eventRoutes } from './routes/events';
import { healthRoutes } from './routes/health';
import { maintenanceRoutes, type MaintenanceRoutesDeps } from './routes/maintenance';
import { memoryRoutes, type MemoryRoutesDeps } from './routes/memories';
import { operationRoutes } from './routes/operations';
import { scheduleRoutes, type ScheduleRoutesDeps } from './routes/schedules';
import { sessionRoutes } from './routes/sessions';
import { tenantChangeRoutes } from './routes/tenant-changes';
import { toolSourceRoutes, type ToolSourceRoutesDeps } from './routes/tool-sources';
import { usageRoutes } from './routes/usage';
import { signInRoutes } from './routes/sign-in';
import { tenantRoutes, type TenantRoutesDeps } from './routes/tenants';
import { userRoutes, type UserRoutesDeps } from './routes/users';

type WithoutConversations<Deps> = Omit<Deps, 'conversations'>;

export type AppDeps = MountDeps &
  RequestContextDeps &
  ConversationDeps &
  TenantRoutesDeps &
  DiagnosticsRoutesDeps &
  MaintenanceRoutesDeps &
  BackupRoutesDeps &
  AgentsRoutesDeps &
  WithoutConversations<AgentRoutesDeps> &
  WithoutConversations<ApprovalRoutesDeps> &
  WithoutConversations<AttachmentRoutesDeps> &
  WithoutConversations<QuestionRoutesDeps> &
  AuditRoutesDeps &
  BudgetRoutesDeps &
  CertificateRoutesDeps &
  CodecRoutesDeps &
  ApiKeyRoutesDeps &
  MachineClientRoutesDeps &
  ToolSourceRoutesDeps &
  ScheduleRoutesDeps &
  MemoryRoutesDeps &
  WithoutConversations<ErasureRoutesDeps> &
  UserRoutesDeps &
  Parameters<typeof configRoutes>[0] &
  Parameters<typeof usageRoutes>[0] &
  Parameters<typeof healthRoutes>[0] &
  Parameters<typeof signInRoutes>[0] & {
    readonly version: string;
    /** Proxies in front of this process: so many names of `X-Forwarded-For`, from its end, are believed. */
    readonly trustedProxies: number;
  };

/** All routes: what is mounted is what OpenAPI tells and what the tests go through. */
export function allRoutes(deps: AppDeps): Route[] {
  const conversations = createConversations(deps);
  const routes = [
    ...tenantRoutes(deps),
    ...tenantChangeRoutes(deps),
    ...certificateRoutes(deps),
    ...auditRoutes(deps),
    ...backupRoutes(deps),
    ...operationRoutes(deps),
    ...maintenanceRoutes(deps),
    ...sessionRoutes({ ...deps, conversations }),
    ...attachmentRoutes({ ...deps, conversations }),
    ...eventRoutes({ ...deps, conversations }),
    ...approvalRoutes({ ...deps, conversations }),
    ...questionRoutes({ ...deps, conversations }),
    ...agentRoutes({ ...deps, conversations }),
    ...agentsRoutes(deps),
    ...scheduleRoutes(deps),
    ...memoryRoutes(deps),
    ...erasureRoutes({ ...deps, conversations }),
    ...configRoutes(deps),
    ...toolSourceRoutes(deps),
    ...usageRoutes(deps),
    ...budgetRoutes(deps),
    ...userRoutes(deps),
    ...apiKeyRoutes(deps),
    ...machineClientRoutes(deps),
    ...signInRoutes(deps),
    ...diagnosticsRoutes(deps),
    ...codecRoutes(deps),
    ...healthRoutes(deps),
  ];
  const document = openApiDocument(routes, deps.version);
  const itself = publicRoute({
    method: 'get',
    path: '/openapi.json',
    summary: 'This description',
    response: z.record(z.string(), z.unknown()),
    status: 200,
    handle: () => Promise.resolve({ body: document }),
  });
  return [...routes, itself];
}

export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.set('trust proxy', deps.trustedProxies);
  app.use(helmet());
  app.use(requestContext(deps));
  mount(app, allRoutes(deps), deps);
  app.use(() => {
    throw new DomainError('request/not-found', 'There is nothing at this address. See /openapi.json.');
  });
  app.use(problemHandler);
  return app;
}
