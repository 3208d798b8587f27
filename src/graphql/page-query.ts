import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import type { Context } from './context.ts';

/** What an operation selects of a connection's nodes, as Prisma's include: their relations come with the page, not row by row. To be spread into findMany. */
export function nodeQuery(context: Context, info: GraphQLResolveInfo): object {
  return queryFromInfo({ context, info, path: ['edges', 'node'] });
}
