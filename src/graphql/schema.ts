import './scalars.ts';
import './types/node.ts';
import './types/user.ts';
import './types/viewer.ts';
import './types/project.ts';
import './types/membership.ts';
import './types/token.ts';
import './types/channel.ts';
import './types/channel-test.ts';
import './types/channel-types.ts';
import './types/subscription.ts';
import './types/default-subscription.ts';
import './types/event.ts';
import './types/inbox.ts';
import './types/inbox-event.ts';
import './types/inbox-item.ts';
import './types/delivery-list.ts';
import './types/delivery-mutations.ts';
import './types/delivery-event.ts';
import type { GraphQLSchema } from 'graphql';
import { builder } from './builder.ts';

// Default deny: what lets in more than users' tokens says so itself, with skipTypeScopes.
builder.queryType({ authScopes: { user: true } });
builder.mutationType({ authScopes: { user: true } });
builder.subscriptionType({ authScopes: { user: true } });

/** The API's schema, made of what the files above add to the builder. */
export const schema: GraphQLSchema = builder.toSchema();
