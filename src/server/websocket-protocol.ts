import type { DocumentNode, ExecutionArgs, FormattedExecutionResult, GraphQLError, GraphQLFormattedError, GraphQLSchema } from 'graphql';
import { makeServer, type OperationResult, type Server } from 'graphql-ws';
import { type LogInternal, operationError, toClientError } from '../graphql/errors.ts';
import { operationOf } from '../graphql/input-rules.ts';
import type { GraphqlServer, Session } from '../graphql/yoga.ts';
import { Secret } from '../lib/secret.ts';
import type { Authenticator } from '../service/authenticate.ts';
import { bearerToken } from './auth.ts';
import type { Sessions } from './sessions.ts';

/** What is known of a socket beyond the protocol. */
export interface SocketExtra {
  /** Set at connection_init. */
  session: Session;
  /** The client that it counts for. */
  address: string;
  /** Ends the watch on its token. */
  release: () => void;
  /** Closes the socket: its token stands for nobody any more. */
  onRevoked: () => void;
}

interface ProtocolDeps {
  graphql: GraphqlServer;
  authenticator: Pick<Authenticator, 'authenticate'>;
  sessions: Sessions;
  logInternal: LogInternal;
}

const INIT_WAIT_MS = 5_000;

/** graphql-transport-ws on the pipeline of HTTP: the same checks, the same context, the same errors. */
export function createProtocol({ graphql, authenticator, sessions, logInternal }: ProtocolDeps): Server<SocketExtra> {
  return makeServer<Record<string, unknown>, SocketExtra>({
    connectionInitWaitTimeout: INIT_WAIT_MS,

    onConnect: async ({ connectionParams, extra }) => {
      const header = connectionParams?.['Authorization'] ?? connectionParams?.['authorization'];
      const token = typeof header === 'string' ? bearerToken(header) : null;
      const viewer = token === null ? null : await authenticator.authenticate(token);
      if (token === null || viewer === null) return false;
      const session = { viewer, token: new Secret(token), onRevoked: extra.onRevoked };
      extra.session = session;
      extra.release = sessions.add(session);
      return true;
    },

    onClose: ({ extra }) => {
      extra.release();
    },

    onSubscribe: async ({ extra }, _id, params) => {
      try {
        const enveloped = graphql.getEnveloped({ session: extra.session, transport: 'websocket', address: extra.address, params }) as Enveloped;
        const document = enveloped.parse(params.query);
        if (operationOf(document, params.operationName) === null) {
          return [operationError([{ path: '', message: 'the document has no operation of that name, or several and no name is given' }])];
        }
        const errors = enveloped.validate(enveloped.schema, document);
        if (errors.length > 0) return errors.map((error) => toClientError(error, logInternal));
        const { execute, subscribe } = enveloped;
        return {
          schema: enveloped.schema,
          document,
          operationName: params.operationName,
          variableValues: params.variables,
          contextValue: await enveloped.contextFactory(),
          rootValue: { execute, subscribe },
        };
      } catch (error) {
        return [toClientError(error, logInternal)];
      }
    },

    execute: (args) => (args.rootValue as Executors).execute(args),
    subscribe: (args) => (args.rootValue as Executors).subscribe(args),

    onNext: (_context, _id, _payload, _args, result): FormattedExecutionResult | undefined => {
      if (result.errors === undefined) return undefined;
      const errors = result.errors.map(publicError);
      return result.data === undefined ? { errors } : { data: result.data, errors };
    },
    onError: (_context, _id, _payload, errors) => errors.map((error) => publicError(toClientError(error, logInternal))),
  });
}

type Executors = Pick<Enveloped, 'execute' | 'subscribe'>;

/** Yoga's pipeline for one operation; its own type says nothing. */
interface Enveloped {
  schema: GraphQLSchema;
  parse: (source: string) => DocumentNode;
  validate: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[];
  contextFactory: () => Promise<unknown>;
  execute: (args: ExecutionArgs) => OperationResult;
  subscribe: (args: ExecutionArgs) => OperationResult;
}

/** An error without what is meant for the HTTP layer. */
function publicError(error: GraphQLError): GraphQLFormattedError {
  const { extensions: { http: _http, ...extensions } = {}, ...rest } = error.toJSON();
  return { ...rest, extensions };
}
