import { z } from 'zod';
import { errors } from '../contracts/errors';
import { Problem } from './problem';
import type { Route } from './route';

const schemaOf = (schema: z.ZodType, io: 'input' | 'output') => {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
};

/** OpenAPI 3.1, made from the routes themselves. @see https://spec.openapis.org/oas/v3.1.1.html */
export function openApiDocument(routes: readonly Route[], version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tenure',
      version,
      description: 'Run AI agents for every one of your customers.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      schemas: { Problem: schemaOf(Problem, 'output') },
      securitySchemes: {
        tenant: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: "Access token of the tenant's own Cognito pool" },
        operator: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: "Access token of the operators' Cognito pool" },
      },
    },
  };
}

function operation(route: Route): Record<string, unknown> {
  return {
    operationId: `${route.method}${route.path.replaceAll(/[^a-zA-Z0-9]+(\w)/g, (_match, letter: string) => letter.toUpperCase())}`,
    summary: route.summary,
    security: route.access === 'public' ? [] : [{ [route.access.realm]: [] }],
    ...(route.access !== 'public' && { 'x-permission': route.access.permission }),
    parameters: [...parameters('path', route.params), ...parameters('query', route.query), ...headerParameters(route)],
    ...(route.body && { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(route.body, 'input') } } } }),
    responses: {
      [route.status]: { description: route.summary, content: content(route) },
      default: { description: `A problem; its code is one of ${Object.keys(errors).join(', ')}`, content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
    },
  };
}

const content = ({ response, streams }: Route) => ({
  'application/json': { schema: schemaOf(response, 'output') },
  ...(streams && { 'text/event-stream': { schema: { type: 'string', description: 'Server-sent events; the id is the cursor' } } }),
});

function parameters(place: 'path' | 'query', schema: z.ZodType | undefined): object[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as { properties?: Record<string, object>; required?: string[] };
  return Object.entries(properties).map(([name, property]) => ({ name, in: place, required: place === 'path' || required.includes(name), schema: property }));
}

const headerParameters = ({ method, access }: Route): object[] =>
  method === 'get' || access === 'public'
    ? []
    : [{ name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string', maxLength: 255 }, description: 'The same key is the same request, however often it is sent' }];
