import type { ResourceFinder } from '../../../ports/tenant-inventory';
import type { PlatformClients } from '../clients';
import { gatewayFinder, identityFinder, memoryFinder, runtimeFinder, scalingFinder } from './agent-core';
import { bucketFinder, parameterFinder, tableFinder } from './data';
import { alarmFinder, keyFinder, logGroupFinder, roleFinder, stackFinder, userPoolFinder } from './infrastructure';

/** Every kind of thing that a tenant has in AWS. What is given to tenants is added here, and nowhere else. */
export const createAwsFinders = (aws: PlatformClients): ResourceFinder[] => [
  stackFinder(aws),
  userPoolFinder(aws),
  keyFinder(aws),
  roleFinder(aws),
  bucketFinder(aws),
  tableFinder(aws),
  parameterFinder(aws),
  logGroupFinder(aws),
  alarmFinder(aws),
  memoryFinder(aws),
  runtimeFinder(aws),
  ...(aws.has.gateway ? [gatewayFinder(aws)] : []),
  ...(aws.has.identity ? [identityFinder(aws)] : []),
  ...(aws.has.scaling ? [scalingFinder(aws)] : []),
];
