import { type DocumentNode, type ExecutionArgs, type GraphQLError, validate } from 'graphql';
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { Viewer } from '../domain/viewer.ts';
import { type Access, createAccess } from '../service/access.ts';
import type { Api } from './api.ts';
import type { Context } from './context.ts';
import { type LogInternal, operationError, toClientError } from './errors.ts';
import { createInboxSnapshot } from './inbox-snapshot.ts';
import { checkVariables, operationOf, VALIDATION_RULES } from './input-rules.ts';
import { createLoaders } from './loaders.ts';
import { schema } from './schema.ts';

/** Whom a request or a socket stands for. A socket outlives changes of its user's rights: whoever watches it keeps this up to date. */
export interface Session {
  /** Null for a stranger. */
  viewer: Viewer | null;
}

/** What the server hands over with an operation. */
export interface Arrival {
  session: Session;
  transport: Context['transport'];
  /** The client that the request counts for. */
  address: string;
}

export type GraphqlServer = YogaServerInstance<Arrival, Context>;

interface GraphqlOptions {
  api: Api;
  logInternal: LogInternal;
}

/** GraphQL over HTTP, and the pipeline that the websocket shares. Whoever calls it has authenticated the request. */
export function createGraphql({ api, logInternal }: GraphqlOptions): GraphqlServer {
  return createYoga<Arrival, Context>({
    schema,
    context: (arrival) => createContext(api, arrival),
    graphqlEndpoint: '/graphql',
    // The server has a page of its own (server/graphiql.ts): this one loads its code from a CDN.
    graphiql: false,
    landingPage: false,
    // Not logged by Yoga: toClientError logs what is to be logged, without a given value.
    logging: false,
    maskedErrors: { maskError: (error) => toClientError(error, logInternal) },
    // Looked after by whoever calls it: Yoga's own limit doubles the cost of a request (560 instead of 250 µs of CPU, measured).
    maxRequestBodySize: false,
    batching: false,
    multipart: false,
    cors: false,
    healthCheckEndpoint: '/graphql/health',
    plugins: [useInputChecks(logInternal)],
  });
}

/** The context of one operation. */
function createContext(api: Api, { session, transport, address }: Arrival): Context {
  const load = createLoaders(api.db, session);
  const inbox = createInboxSnapshot(api.db);
  let access: Access | null = null;
  return {
    api,
    transport,
    address,
    load,
    inbox,
    get viewer() {
      return session.viewer;
    },
    get access() {
      if (access?.viewer !== session.viewer) access = session.viewer === null ? null : createAccess(api.db, session.viewer);
      return access;
    },
  };
}

/** Our rules in the place of graphql-js' own, and variables checked before they are coerced: neither says a given value. */
function useInputChecks(logInternal: LogInternal): Plugin<Context> {
  return {
    onValidate: ({ setValidationFn }) => {
      setValidationFn((validated: typeof schema, document: DocumentNode) =>
        validate(validated, document, VALIDATION_RULES).map((error) => toClientError(error, logInternal)),
      );
    },
    onExecute: ({ args, setResultAndStopExecution }) => {
      const error = refuse(args);
      if (error !== null) setResultAndStopExecution({ errors: [error] });
    },
    onSubscribe: ({ args, setResultAndStopExecution }) => {
      const error =
        args.contextValue.transport === 'http' ? operationError([{ path: '', message: 'subscriptions are served over the websocket' }]) : refuse(args);
      if (error !== null) setResultAndStopExecution({ errors: [error] });
    },
  };
}

function refuse({ document, operationName, variableValues }: Pick<ExecutionArgs, 'document' | 'operationName' | 'variableValues'>): GraphQLError | null {
  const operation = operationOf(document, operationName);
  if (operation === null) return operationError([{ path: '', message: 'the document has no operation of that name, or several and no name is given' }]);
  const issues = checkVariables(schema, document, operation, variableValues ?? {});
  return issues.length === 0 ? null : operationError(issues);
}
