import type { AnyOperation, DataOf, VariablesOf } from './gql.ts';

export interface GraphqlError {
  message: string;
  path?: (string | number)[];
  extensions: { code: string; issues?: { path: string; message: string }[]; errorId?: string; retryAfterSeconds?: number };
}

export interface GraphqlAnswer<Data = unknown> {
  status: number;
  data: Data | null;
  errors: GraphqlError[];
}

/** What is sent: an operation; or a plain text, where it is made at run time or wrong on purpose. */
export type Sent = AnyOperation | string;

/** What goes with it: its variables, which may be left out where none is required, and a token; by default the client's own, null for none. */
export type SentWith<Operation> =
  NeedsVariables<Operation> extends true
    ? [variables: VariablesOf<Operation>, token?: string | null]
    : [variables?: VariablesOf<Operation>, token?: string | null];

/** Whether an operation has variables that are required. */
export type NeedsVariables<Operation> = Record<string, never> extends VariablesOf<Operation> ? false : true;

export interface GraphqlClient {
  /** POSTs an operation. */
  graphql<Operation extends Sent>(operation: Operation, ...args: SentWith<Operation>): Promise<GraphqlAnswer<DataOf<Operation>>>;
  /** The data of an operation that must succeed. */
  data<Operation extends Sent>(operation: Operation, ...args: SentWith<Operation>): Promise<DataOf<Operation>>;
}

/** A client of the server at `url`. */
export function graphqlClient(url: string, defaultToken: string): GraphqlClient {
  async function graphql<Operation extends Sent>(operation: Operation, ...args: SentWith<Operation>): Promise<GraphqlAnswer<DataOf<Operation>>> {
    const [variables = {}, token = defaultToken] = args;
    const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json', ...bearer(token) };
    const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query: textOf(operation), variables }) });
    return { status: response.status, errors: [], data: null, ...((await response.json()) as Partial<GraphqlAnswer<DataOf<Operation>>>) };
  }

  return {
    graphql,
    data: async (operation, ...args) => {
      const { data, errors } = await graphql(operation, ...args);
      if (errors.length > 0 || data === null) throw new Error(JSON.stringify(errors));
      return data;
    },
  };
}

/** The text to send. */
export function textOf(operation: Sent): string {
  return typeof operation === 'string' ? operation : operation.text;
}

/** The header that carries a token. */
export function bearer(token: string | null): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}
