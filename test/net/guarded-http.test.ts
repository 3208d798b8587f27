import { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type OpenSocket, openTcpSocket } from '../../src/net/connect.ts';
import { NO_CONNECTION } from '../../src/net/egress-error.ts';
import { CLOSED_POLICY, createManualClock, openFixedServer, openHttp, openRawServer, post, recordDials } from './harness.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const PUBLIC = '93.184.216.34';
const HTTP_ONLY = { ...CLOSED_POLICY, allowHttp: true };

/** Goes to a listener on loopback whatever the address: the network that lies. */
const dialLoopback: OpenSocket = (_addresses, port, attemptMs) => openTcpSocket(['127.0.0.1'], port, attemptMs);

/** Never connects. */
const dialNowhere: OpenSocket = () => new Socket();

describe('what is sent', () => {
  test('is the request and what frames it', async () => {
    const server = await openFixedServer(OK);
    await post(openHttp(), `http://hooks.example.com:${server.port}/a/b?c=d#e`, { 'content-type': 'application/json', 'webhook-id': '1' }, '{"é":1}');
    const [head = '', body] = server.received().split('\r\n\r\n');
    expect(head.split('\r\n')).toEqual([
      'POST /a/b?c=d HTTP/1.1',
      `host: hooks.example.com:${server.port}`,
      'connection: keep-alive',
      'content-type: application/json',
      'webhook-id: 1',
      'accept-encoding: identity',
      'content-length: 8',
    ]);
    expect(Buffer.from(body ?? '', 'latin1').toString('utf8')).toBe('{"é":1}');
  });

  test('an empty body has a length too', async () => {
    const server = await openFixedServer(OK);
    await post(openHttp(), `http://127.0.0.1:${server.port}/`, {}, '');
    expect(server.received()).toContain('content-length: 0');
  });

  test.each([
    'host',
    'Content-Length',
    'transfer-encoding',
    'connection',
    'keep-alive',
    'proxy-connection',
    'upgrade',
    'expect',
    'te',
    'trailer',
    'Accept-Encoding',
  ])('a header %s of a config edited by hand is refused', async (name) => {
    const { openSocket, dials } = recordDials(openTcpSocket);
    expect(await post(openHttp({ openSocket }), 'http://127.0.0.1:8000/', { [name]: '1' })).toMatchObject({ ok: false, failure: 'EGRESS_REFUSED' });
    expect(dials).toEqual([]);
  });

  test.each([
    ['a line break in a value', { 'x-a': 'b\r\nx-c: d' }],
    ['a NUL in a value', { 'x-a': '\0' }],
    ['a name that is no token', { 'x a': 'b' }],
  ])('%s is refused', async (_what, headers) => {
    const server = await openFixedServer(OK);
    expect(await post(openHttp(), `http://127.0.0.1:${server.port}/`, headers)).toMatchObject({ ok: false, failure: 'EGRESS_REFUSED' });
    expect(server.received()).toBe('');
  });
});

describe('what comes back', () => {
  test('is status, headers in lower case, repeated ones joined, and body', async () => {
    const server = await openFixedServer(
      'HTTP/1.1 418 Teapot\r\nX-A: 1\r\nSet-Cookie: a\r\nset-cookie: b\r\n__proto__: c\r\nContent-Length: 4\r\n\r\n\u00e2\u0082\u00ac!',
    );
    const result = await post(openHttp(), `http://127.0.0.1:${server.port}/`);
    expect(result).toMatchObject({ ok: true, reply: { status: 418, body: '€!' } });
    const headers = result.ok ? result.reply.headers : {};
    expect(Object.entries(headers)).toEqual([
      ['x-a', '1'],
      ['set-cookie', 'a, b'],
      ['__proto__', 'c'],
      ['content-length', '4'],
    ]);
  });

  test('one connection carries requests in turn', async () => {
    const server = await openFixedServer(OK);
    const http = openHttp();
    for (let index = 0; index < 5; index += 1) {
      expect(await post(http, `http://127.0.0.1:${server.port}/`)).toMatchObject({ ok: true });
      // undici takes a connection back a turn of the event loop after the answer.
      await turn();
    }
    expect(server.sockets.length).toBe(1);
  });
});

describe('one text for every host that cannot be reached', () => {
  const unreachable = { ok: false, message: NO_CONNECTION };

  test('nobody listens', async () => {
    const { port, sockets } = await openFixedServer(OK);
    const http = openHttp({ lookup: () => Promise.resolve(['127.0.0.77']) });
    expect(await post(http, `http://a.example:${port}/`)).toEqual({ ...unreachable, failure: 'CONNECT' });
    expect(sockets.length).toBe(0);
  });

  test('nobody answers within the time to connect', async () => {
    const http = openHttp({ openSocket: dialNowhere, limits: { connectMs: 30 } });
    expect(await post(http, 'http://a.example:8000/')).toEqual({ ...unreachable, failure: 'CONNECT' });
  });

  test('the name does not resolve', async () => {
    const http = openHttp({ lookup: () => Promise.reject(new Error('ENOTFOUND')) });
    expect(await post(http, 'http://a.example:8000/')).toEqual({ ...unreachable, failure: 'DNS' });
  });

  test.each(['10.0.0.1', '169.254.169.254', '::1', '::ffff:127.0.0.1'])('it resolves to %s', async (address) => {
    const http = openHttp({ lookup: () => Promise.resolve([address]) });
    expect(await post(http, 'http://a.example:8000/')).toEqual({ ...unreachable, failure: 'EGRESS_REFUSED' });
  });
});

describe('a name that changes never gets a byte', () => {
  test('public when it was saved, loopback when it is sent to', async () => {
    const server = await openFixedServer(OK);
    const clock = createManualClock();
    const answers = [[PUBLIC], ['127.0.0.1']];
    const http = openHttp({ policy: HTTP_ONLY, clock, lookup: () => Promise.resolve(answers.shift() ?? ['127.0.0.1']) });
    const url = `http://rebind.example:${server.port}/`;
    expect(await http.check(url)).toEqual({ ok: true });
    clock.advance(30_000);
    expect(await post(http, url)).toMatchObject({ ok: false, failure: 'EGRESS_REFUSED' });
    expect(await http.check(url)).toMatchObject({ ok: false });
    expect(server.sockets.length).toBe(0);
  });

  test('the address was checked, but another peer answers', async () => {
    const server = await openFixedServer(OK);
    const http = openHttp({ policy: HTTP_ONLY, lookup: () => Promise.resolve([PUBLIC]), openSocket: dialLoopback });
    expect(await post(http, `http://rebind.example:${server.port}/`)).toEqual({ ok: false, failure: 'EGRESS_REFUSED', message: NO_CONNECTION });
    await server.closed(0);
    expect(server.received()).toBe('');
  });

  test('nor a TLS greeting', async () => {
    const server = await openFixedServer(OK);
    const http = openHttp({ policy: CLOSED_POLICY, lookup: () => Promise.resolve([PUBLIC]), openSocket: dialLoopback });
    expect(await post(http, `https://rebind.example:${server.port}/`)).toMatchObject({ ok: false, failure: 'EGRESS_REFUSED' });
    await server.closed(0);
    expect(server.received()).toBe('');
  });

  test("a kept connection is not used once its address is not the name's any more", async () => {
    const server = await openRawServer((socket) => socket.write(OK), '0.0.0.0');
    const clock = createManualClock();
    let addresses = ['127.0.0.1'];
    const http = openHttp({ clock, lookup: () => Promise.resolve(addresses) });
    const url = `http://moving.example:${server.port}/`;
    const peers = () => server.sockets.map((socket) => socket.localAddress);
    await post(http, url);
    addresses = ['127.0.0.2'];
    await turn();
    await post(http, url);
    expect(peers()).toEqual(['127.0.0.1']);
    clock.advance(30_000);
    expect(await post(http, url)).toMatchObject({ ok: true });
    expect(peers()).toEqual(['127.0.0.1', '127.0.0.2']);
    addresses = ['127.0.0.2', '10.0.0.1'];
    clock.advance(30_000);
    expect(await post(http, url)).toMatchObject({ ok: false, failure: 'EGRESS_REFUSED' });
  });
});

test('where one address does not answer the next is tried', async () => {
  const server = await openFixedServer(OK);
  const http = openHttp({ lookup: () => Promise.resolve(['127.0.0.77', '127.0.0.1']) });
  expect(await post(http, `http://two.example:${server.port}/`)).toMatchObject({ ok: true });
});

test('EGRESS_HOSTS leads a name elsewhere, whose host header stays', async () => {
  const server = await openFixedServer(OK);
  const policy = { ...HTTP_ONLY, hosts: [{ host: 'hooks.example.com', port: null, address: '127.0.0.1', toPort: server.port }] };
  const http = openHttp({ policy, lookup: () => Promise.reject(new Error('not to be asked')) });
  expect(await http.check('http://hooks.example.com/')).toEqual({ ok: true });
  expect(await post(http, 'http://hooks.example.com/')).toMatchObject({ ok: true });
  expect(server.received()).toContain('host: hooks.example.com\r\n');
});

describe('the end', () => {
  test('cuts what is under way, and nothing starts after it', async () => {
    const server = await openRawServer(() => undefined);
    const http = openHttp();
    const url = `http://127.0.0.1:${server.port}/`;
    const underWay = post(http, url);
    await expect.poll(() => server.received()).toContain('POST');
    await http.close();
    expect(await underWay).toMatchObject({ ok: false, failure: 'PROTOCOL' });
    expect(await post(http, url)).toMatchObject({ ok: false, failure: 'CONNECT' });
    await server.closed(0);
    expect(server.sockets.length).toBe(1);
  });

  test('gives up what is still connecting', async () => {
    const { openSocket, dials } = recordDials(dialNowhere);
    const http = openHttp({ openSocket });
    const connecting = post(http, 'http://a.example:8000/');
    await expect.poll(() => dials.length).toBe(1);
    await http.close();
    expect(await connecting).toMatchObject({ ok: false, failure: 'CONNECT' });
  });
});

test('the number of kept connections is bounded by that of places: the one used longest ago goes', async () => {
  const server = await openFixedServer(OK);
  const http = openHttp({ limits: { poolsMax: 2, idleMs: 600_000 } });
  for (const host of ['a.example', 'b.example', 'a.example', 'c.example', 'a.example']) {
    expect(await post(http, `http://${host}:${server.port}/`)).toMatchObject({ ok: true });
  }
  expect(server.sockets.length).toBe(3);
  await server.closed(1);
  await post(http, `http://b.example:${server.port}/`);
  expect(server.sockets.length).toBe(4);
});
