import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import WebSocket from 'ws';
import { type DataOf, gql } from './gql.ts';

/** What the inbox subscription sent, by its `__typename`. */
export interface FeedEvent {
  __typename: 'InboxReady' | 'InboxGap' | 'InboxItemAdded' | 'InboxItemsUpdated' | 'InboxItemsRemoved';
  cursor: string;
  counts: { unread: number; unseen: number };
  item?: { id: string; eventId: string | null };
  items?: { id: string }[];
  ids?: string[];
}

/** How far a connection has come: its websocket is open, and the subscription is sent. */
export type FeedPhase = 'opened' | 'subscribed';

export interface FeedClientOptions {
  /** The server's URL as it is now: it changes with a restart. */
  url: () => string;
  token: string;
  /** Where to begin. */
  cursor: string;
  /** Of the same feed on one socket; only the first one's events count. */
  subscriptions?: number;
  onEvent: (event: FeedEvent) => void;
  onPhase?: (phase: FeedPhase) => void;
}

/**
 * A client of the inbox feed as an app would be: whenever its socket is gone it opens another one and goes on after the last cursor that it received. Speaks
 * graphql-transport-ws by itself, so that nothing between the test and the wire remembers or repeats anything.
 */
export interface FeedClient {
  /** The last cursor received. */
  cursor(): string;
  /** Sockets that were opened, with the present one. */
  connections(): number;
  /** Destroys the socket in the middle of whatever goes on; as a reset where `abruptly`. */
  cut(abruptly: boolean): void;
  /** Reads nothing more from the socket, which stays open. */
  pause(): void;
  /** Reads on, with one subscription from now on. */
  resume(): void;
  close(): void;
}

const FEED = gql(`subscription ($after: String) { inbox(after: $after) {
  __typename cursor counts { unread unseen }
  ... on InboxItemAdded { item { id eventId title body data } }
  ... on InboxItemsUpdated { items { id } }
  ... on InboxItemsRemoved { ids }
} }`);
/** Between two attempts while nobody listens. */
const AGAIN_MS = 50;

/** Connects, and stays connected until it is closed. */
export function createFeedClient(options: FeedClientOptions): FeedClient {
  const { url, token, onEvent, onPhase } = options;
  let { cursor, subscriptions = 1 } = options;
  let connections = 0;
  let socket: Socket | null = null;
  let websocket: WebSocket | null = null;
  let isClosed = false;

  function open(): void {
    if (isClosed) return;
    const own = new WebSocket(`${url().replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      // Its options have the path of the request, which net.connect would take for that of a local socket.
      createConnection: (({ host, port }: TcpNetConnectOpts) => {
        socket = connect({ host: host ?? 'localhost', port });
        return socket;
      }) as typeof connect,
    });
    websocket = own;
    own.on('error', () => {});
    own.once('open', () => {
      connections += 1;
      send({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } });
      onPhase?.('opened');
    });
    own.on('message', (data: Buffer) => {
      // What ws has read before a cut is not what the client has taken.
      if (socket?.destroyed === false) take(JSON.parse(data.toString('utf8')) as Message);
    });
    own.once('close', () => setTimeout(open, AGAIN_MS));
  }

  function send(message: unknown): void {
    if (websocket?.readyState === WebSocket.OPEN) websocket.send(JSON.stringify(message));
  }

  function take(message: Message): void {
    if (message.type === 'connection_ack') {
      for (let id = 0; id < subscriptions; id += 1) send({ id: String(id), type: 'subscribe', payload: { query: FEED.text, variables: { after: cursor } } });
      onPhase?.('subscribed');
    } else if (message.type === 'next' && message.id === '0') {
      const event = message.payload.data?.inbox;
      if (event === undefined) throw new Error(JSON.stringify(message.payload));
      cursor = event.cursor;
      onEvent(event);
    } else if (message.type === 'error') throw new Error(JSON.stringify(message));
  }

  open();
  return {
    cursor: () => cursor,
    connections: () => connections,
    cut: (abruptly) => {
      if (abruptly) socket?.resetAndDestroy();
      else socket?.destroy();
    },
    pause: () => websocket?.pause(),
    resume: () => {
      for (let id = 1; id < subscriptions; id += 1) send({ id: String(id), type: 'complete' });
      subscriptions = 1;
      websocket?.resume();
    },
    close: () => {
      isClosed = true;
      socket?.destroy();
    },
  };
}

type Message = { type: 'connection_ack' | 'ping' | 'complete' | 'error' } | { type: 'next'; id: string; payload: { data?: DataOf<typeof FEED> } };

/** The number inside a feed cursor (domain/feed-cursor.ts): tests compare it with the log. */
export function seqOfCursor(cursor: string): number {
  return Number(Buffer.from(cursor, 'base64url').readBigUInt64BE(32));
}
