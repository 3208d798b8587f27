import WebSocket from 'ws';
import type { AnyOperation, DataOf, VariablesOf } from './gql.ts';
import { type GraphqlError, type NeedsVariables, type Sent, textOf } from './graphql-client.ts';

/** A message of graphql-transport-ws, or how the socket ended. */
export interface Message {
  type: string;
  id?: string;
  payload?: unknown;
  /** Set on `{ type: 'close' }`. */
  code?: number;
}

/** A result of an operation. */
export interface Result<Data = unknown> {
  data: Data | null;
  errors?: GraphqlError[];
}

/** One websocket, without a client library between the test and the wire. */
export interface WsClient {
  readonly socket: WebSocket;
  send(message: unknown): void;
  /** The next message, or the socket's end; fails after `deadlineMs`. */
  next(deadlineMs?: number): Promise<Message>;
  /** Begins an operation. */
  subscribe<Operation extends Sent>(
    id: string,
    operation: Operation,
    ...args: NeedsVariables<Operation> extends true ? [VariablesOf<Operation>] : [VariablesOf<Operation>?]
  ): void;
  /** The payload of the next message of an operation, which must be a `next`. Messages of others are kept. The operation is given for its types. */
  payload<Operation extends AnyOperation>(id: string, operation?: Operation): Promise<Result<DataOf<Operation>>>;
  /** The code with which the server closes the socket. */
  closed(deadlineMs?: number): Promise<number>;
  close(): void;
}

const DEADLINE_MS = 10_000;

/** Opens a socket; with a token, up to connection_ack. */
export async function openWs(url: string, token: string | null): Promise<WsClient> {
  const socket = new WebSocket(url, 'graphql-transport-ws');
  const messages: Message[] = [];
  let wake = (): void => {};
  const push = (message: Message): void => {
    messages.push(message);
    wake();
  };
  socket.on('message', (data: Buffer) => {
    push(JSON.parse(data.toString('utf8')) as Message);
  });
  socket.on('close', (code) => {
    push({ type: 'close', code });
  });
  socket.on('error', () => {});
  await new Promise((resolve) => {
    socket.once('open', resolve);
    socket.once('close', resolve);
  });

  async function take(matches: (message: Message) => boolean, what: string, deadlineMs: number): Promise<Message> {
    const end = Date.now() + deadlineMs;
    for (;;) {
      const at = messages.findIndex((message) => matches(message) || message.type === 'close');
      if (at >= 0) return messages.splice(at, 1)[0] as Message;
      const leftMs = end - Date.now();
      if (leftMs <= 0) throw new Error(`timed out waiting for ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  const client: WsClient = {
    socket,
    send: (message) => {
      socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    },
    next: (deadlineMs = DEADLINE_MS) => take(() => true, 'a message', deadlineMs),
    subscribe: (id, operation, ...args) => {
      const [variables = {}] = args;
      client.send({ id, type: 'subscribe', payload: { query: textOf(operation), variables } });
    },
    payload: async <Operation extends AnyOperation>(id: string) => {
      const message = await take((candidate) => candidate.id === id, `a message of ${id}`, DEADLINE_MS);
      if (message.type !== 'next') throw new Error(`expected a result of ${id}, got ${JSON.stringify(message)}`);
      return message.payload as Result<DataOf<Operation>>;
    },
    closed: async (deadlineMs = DEADLINE_MS) => {
      const message = await take((candidate) => candidate.type === 'close', 'the end of the socket', deadlineMs);
      return message.code ?? 0;
    },
    close: () => {
      socket.terminate();
    },
  };
  if (token !== null) {
    client.send({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } });
    const message = await client.next();
    if (message.type !== 'connection_ack') throw new Error(`expected connection_ack, got ${JSON.stringify(message)}`);
  }
  return client;
}
