import { createServer, type Server } from 'node:http';
import { buildSchema } from 'graphql';
import { makeServer } from 'graphql-ws';
import { afterEach, expect, test } from 'vitest';
import { createLog } from '../../src/server/log.ts';
import { closeServer, listen } from '../../src/server/serve.ts';
import { createWebsockets, type SOCKET_LIMITS, type Websockets } from '../../src/server/websocket.ts';
import type { SocketExtra } from '../../src/server/websocket-protocol.ts';
import { captureLogStrictly } from '../support/log.ts';
import { until } from '../support/pipeline.ts';
import { openWs } from '../support/ws-client.ts';

// The sockets themselves, below GraphQL: a protocol server over a schema of two fields.

const MEBIBYTE = 1024 * 1024;
const log = captureLogStrictly();
let server: Server;
let websockets: Websockets;
let streamed = 0;

const schema = buildSchema('type Query { large: String! } type Subscription { large: String! }');

async function* large(): AsyncGenerator<{ large: string }> {
  for (;;) {
    streamed += 1;
    await new Promise((resolve) => setImmediate(resolve));
    yield { large: 'x'.repeat(MEBIBYTE) };
  }
}

async function start(limits: Partial<typeof SOCKET_LIMITS> = {}): Promise<string> {
  streamed = 0;
  const protocol = makeServer<Record<string, unknown>, SocketExtra>({
    schema,
    roots: { query: { large: () => 'x'.repeat(MEBIBYTE) }, subscription: { large } },
  });
  websockets = createWebsockets({ protocol, log: createLog('info', log.stream), addressOf: () => '192.0.2.1', messageBytesMax: 64 * 1024, limits });
  server = createServer();
  server.on('upgrade', (req, socket, head) => {
    websockets.upgrade(req, socket, head);
  });
  return `ws://127.0.0.1:${String(await listen(server, 0, '127.0.0.1'))}/graphql`;
}

afterEach(async () => {
  await websockets.close();
  await closeServer(server, 100);
});

test('a stream waits for a client that stops reading: nothing piles up', async () => {
  const client = await openWs(await start(), 'x');
  client.subscribe('s', 'subscription { large }');
  await client.payload('s');
  client.socket.pause();
  await until(async () => {
    const before = streamed;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return streamed === before;
  }, 'the stream stands still');
  // What the kernel's buffers take, and one message more.
  expect(streamed).toBeLessThan(40);
  client.socket.resume();
  await client.payload('s');
  client.close();
});

test('a client that asks for much and reads nothing is dropped', async () => {
  const client = await openWs(await start({ bufferedBytesMax: MEBIBYTE }), 'x');
  client.socket.pause();
  for (let i = 0; i < 200; i += 1) client.subscribe(`q${String(i)}`, '{ large }');
  await until(async () => (await connections()) === 0, 'the socket is dropped');
  client.close();
});

test('a client that does not answer pings is dropped, one that does stays', async () => {
  const url = await start({ pingMs: 40 });
  const silent = await openWs(url, 'x');
  const alive = await openWs(url, 'x');
  let pings = 0;
  alive.socket.on('ping', () => {
    pings += 1;
  });
  silent.socket.pause();
  await until(async () => pings > 5 && (await connections()) === 1, 'the silent one is dropped');
  expect(alive.socket.readyState).toBe(alive.socket.OPEN);
  alive.close();
  silent.close();
});

test('a message over the limit closes that socket with 1009, and no other', async () => {
  const url = await start();
  const [big, other] = [await openWs(url, 'x'), await openWs(url, 'x')];
  big.subscribe('q', `{ large } # ${'x'.repeat(65 * 1024)}`);
  expect(await big.closed()).toBe(1009);
  other.subscribe('q', '{ __typename }');
  expect(await other.payload('q')).toEqual({ data: { __typename: 'Query' } });
  other.close();
});

test('stopping closes sockets with 1001, those that do not answer by force, and refuses new ones', async () => {
  const url = await start({ closeMs: 100 });
  const client = await openWs(url, 'x');
  const deaf = await openWs(url, 'x');
  deaf.socket.pause();
  const closed = websockets.close();
  expect(await client.closed()).toBe(1001);
  await closed;
  await until(async () => (await connections()) === 0, 'all sockets are gone');
  const late = await openWs(url, null);
  expect(late.socket.readyState).toBe(late.socket.CLOSED);
  deaf.close();
});

test('other paths are not upgraded', async () => {
  const url = await start();
  const client = await openWs(url.replace('/graphql', '/other'), null);
  expect(client.socket.readyState).toBe(client.socket.CLOSED);
});

function connections(): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}
