import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { handleProtocols, type Server } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { pathOf } from './http.ts';
import type { Log } from './log.ts';
import type { SocketExtra } from './websocket-protocol.ts';

interface WebsocketDeps {
  protocol: Server<SocketExtra>;
  log: Log;
  /** The client that a request counts for. */
  addressOf: (req: IncomingMessage) => string;
  messageBytesMax: number;
  limits?: Partial<typeof SOCKET_LIMITS>;
}

export interface Websockets {
  /** Takes an upgrade of the HTTP server. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Refuses new sockets and closes all with 1001. Resolves when they are gone. */
  close(): Promise<void>;
}

export const SOCKET_LIMITS = {
  /** A socket is pinged this often, and dropped when it has not answered before the next ping. */
  pingMs: 12_000,
  /**
   * What may wait in a socket's buffer when more is to be sent. A stream sends its next message only when the last has left the process, so that only a client
   * that asks for much and reads nothing gets here; it is dropped.
   */
  bufferedBytesMax: 4 * 1024 * 1024,
  /** How long closing sockets may take to answer. */
  closeMs: 2_000,
};

/** GraphQL's websockets, on the same path as its HTTP. */
export function createWebsockets(deps: WebsocketDeps): Websockets {
  const { protocol, log, addressOf, messageBytesMax } = deps;
  const limits = { ...SOCKET_LIMITS, ...deps.limits };
  const server = new WebSocketServer({ noServer: true, maxPayload: messageBytesMax, handleProtocols });
  let isClosing = false;

  server.on('connection', (socket: WebSocket, req: IncomingMessage) => {
    socket.on('error', (error) => {
      log.debug({ err: error }, 'websocket error');
    });
    serve(socket, addressOf(req));
    keepAlive(socket, limits.pingMs);
  });

  function serve(socket: WebSocket, address: string): void {
    const onRevoked = (): void => {
      socket.close(CLOSE_FORBIDDEN, 'Forbidden');
    };
    const extra: SocketExtra = { session: { viewer: null }, address, release: () => {}, onRevoked };
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (data) => send(socket, data),
        close: (code, reason) => {
          socket.close(code, reason);
        },
        onMessage: (handle) => {
          socket.on('message', (data: Buffer) => {
            handle(data.toString('utf8')).catch((error: unknown) => {
              log.error({ err: error }, 'a websocket message failed');
              socket.close(CLOSE_INTERNAL, 'Internal server error');
            });
          });
        },
      },
      extra,
    );
    socket.once('close', (code, reason) => {
      closed(code, String(reason)).catch((error: unknown) => {
        log.error({ err: error }, 'ending the operations of a websocket failed');
      });
    });
  }

  /** Resolves when the message has left the process, which is what holds a stream back; at once where the socket is gone. */
  function send(socket: WebSocket, data: string): Promise<void> {
    if (socket.readyState !== socket.OPEN) return Promise.resolve();
    if (socket.bufferedAmount > limits.bufferedBytesMax) {
      socket.terminate();
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      socket.send(data, () => {
        resolve();
      });
    });
  }

  return {
    upgrade: (req, socket, head) => {
      // ws looks after errors from the handshake on.
      socket.on('error', () => socket.destroy());
      if (isClosing || pathOf(req) !== '/graphql') {
        socket.end(`HTTP/1.1 ${isClosing ? '503 Service Unavailable' : '404 Not Found'}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      server.handleUpgrade(req, socket, head, (websocket) => server.emit('connection', websocket, req));
    },
    close: async () => {
      isClosing = true;
      for (const socket of server.clients) socket.close(CLOSE_GOING_AWAY, 'Going away');
      const timer = setTimeout(() => {
        for (const socket of server.clients) socket.terminate();
      }, limits.closeMs);
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        if (server.clients.size === 0) resolve();
        for (const socket of server.clients) socket.once('close', () => server.clients.size === 0 && resolve());
      });
      clearTimeout(timer);
    },
  };
}

/** RFC 6455 7.4.1, and graphql-transport-ws' own. */
const CLOSE_GOING_AWAY = 1001;
const CLOSE_FORBIDDEN = 4403;
const CLOSE_INTERNAL = 4500;

function keepAlive(socket: WebSocket, pingMs: number): void {
  let isAlive = true;
  socket.on('pong', () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    if (!isAlive) {
      socket.terminate();
      return;
    }
    isAlive = false;
    socket.ping();
  }, pingMs);
  socket.once('close', () => {
    clearInterval(timer);
  });
}
