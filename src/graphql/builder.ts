import SchemaBuilder from '@pothos/core';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import type PrismaTypes from '../generated/pothos-prisma-types.ts';
import { getDatamodel } from '../generated/pothos-prisma-types.ts';
import { AppError } from '../lib/error.ts';
import { type Context, unauthenticated } from './context.ts';

/**
 * Every type of the API is made with this. Root types let users in and nobody else (schema.ts); a field that lets agents in says so itself. What a
 * user may see of an object is decided where the object is found: by the conditions of service/visible.ts, or by a parent that may see it.
 */
export const builder = new SchemaBuilder<{
  PrismaTypes: PrismaTypes;
  Context: Context;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSON: { Input: unknown; Output: unknown };
  };
  AuthScopes: {
    /** A user's token. */
    user: boolean;
    /** A user's or an agent's. */
    caller: boolean;
  };
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
}>({
  plugins: [ScopeAuthPlugin, RelayPlugin, PrismaPlugin],
  defaultFieldNullability: false,
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: ({ viewer }) => ({ user: viewer?.kind === 'user', caller: viewer !== null }),
    unauthorizedError: (_parent, { viewer }) => (viewer === null ? unauthenticated() : new AppError('FORBIDDEN', 'not allowed')),
  },
  relay: {
    cursorType: 'String',
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    edgesFieldOptions: { nullable: { list: false, items: false } },
    nodeFieldOptions: { nullable: false },
  },
  prisma: { client: ({ api }) => api.db.prisma, dmmf: getDatamodel(), exposeDescriptions: false, onUnusedQuery: 'error' },
});
