import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createManualClock, openFixedServer, openHttp, openRawServer, post, type RawServer, runScript } from './harness.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const urlOf = (server: RawServer): string => `http://127.0.0.1:${server.port}/`;

/** Writes `chunk` for as long as the other side takes it. */
function flood(socket: Socket, chunk: Buffer): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', more);
  more();
}

/** Writes `chunk` every `everyMs` until the other side closes. */
function drip(socket: Socket, chunk: string, everyMs: number): void {
  const timer = setInterval(() => socket.write(chunk), everyMs);
  socket.once('close', () => clearInterval(timer));
}

const sized = (body: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

describe('at most 8 KiB of body are kept', () => {
  test.each([
    ['8191', 8_191, 8_191],
    ['8192', 8_192, 8_192],
    ['8193', 8_193, 8_192],
    ['65536, read to its end for the connection', 65_536, 8_192],
  ])('of %s bytes', async (_what, bytes, kept) => {
    const server = await openFixedServer(sized('x'.repeat(bytes)));
    const http = openHttp();
    for (let index = 0; index < 2; index += 1) {
      const result = await post(http, urlOf(server));
      expect(result.ok && result.reply.body.length).toBe(kept);
    }
    // The first body may still be drained when the second request goes out: it gets a connection of its own.
    expect(server.sockets.length).toBeLessThanOrEqual(2);
    expect(server.sockets.every((socket) => !socket.destroyed)).toBe(true);
  });

  test('what is kept is enough: the rest is not waited for', async () => {
    const server = await openFixedServer(`HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n${'x'.repeat(9_000)}`);
    expect(await post(openHttp({ clock: createManualClock() }), urlOf(server))).toMatchObject({ ok: true, reply: { body: 'x'.repeat(8_192) } });
  });

  test('longer than 64 KiB the connection is cut', async () => {
    const server = await openFixedServer(sized('x'.repeat(1_000_000)));
    expect(await post(openHttp(), urlOf(server))).toMatchObject({ ok: true, reply: { status: 200 } });
    await server.closed(0);
  });

  test('a character that the cut goes through is dropped', async () => {
    const server = await openRawServer((socket) => socket.write(sized('€'.repeat(4_000))));
    const result = await post(openHttp(), urlOf(server));
    expect(result.ok && result.reply.body).toBe('€'.repeat(2_730));
  });

  test('what is not UTF-8 becomes U+FFFD', async () => {
    const server = await openFixedServer('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na\u00ffb');
    expect(await post(openHttp(), urlOf(server))).toMatchObject({ reply: { body: 'a\ufffdb' } });
  });

  test('an endless body ends with the cut', async () => {
    const server = await openRawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      flood(socket, Buffer.alloc(65_536, 'x'));
    });
    const result = await post(openHttp(), urlOf(server));
    expect(result.ok && result.reply.body.length).toBe(8_192);
    await server.closed(0);
  });

  test('so does an endless chunked one', async () => {
    const server = await openRawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      flood(socket, Buffer.from('1\r\nx\r\n'.repeat(10_000)));
    });
    const result = await post(openHttp(), urlOf(server));
    expect(result.ok && result.reply.body).toBe('x'.repeat(8_192));
    await server.closed(0);
  });

  test('hundreds of them leave no memory behind', async () => {
    const chunk = Buffer.alloc(16_384, 'x');
    const server = await openRawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      flood(socket, chunk);
    });
    const left = JSON.parse(await runScript('send-many.ts', [String(server.port)], { execArgv: ['--expose-gc'] })) as { heap: number; all: number };
    // Of 250 sends, what is kept of the bodies is 2 MB, and all that was read of them 16 MB.
    expect(left.heap).toBeLessThan(1_500_000);
    expect(left.all).toBeLessThan(12_000_000);
  });
});

describe('a body with a Content-Encoding is not kept, its status counts', () => {
  test('small', async () => {
    const packed = gzipSync('hello').toString('latin1');
    const server = await openFixedServer(`HTTP/1.1 403 Forbidden\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n${packed}`);
    expect(await post(openHttp(), urlOf(server))).toMatchObject({ ok: true, reply: { status: 403, body: '' } });
  });

  test('a bomb is cut', async () => {
    const server = await openRawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n');
      flood(socket, gzipSync(Buffer.alloc(10_000_000)));
    });
    expect(await post(openHttp(), urlOf(server))).toMatchObject({ ok: true, reply: { status: 200, body: '' } });
    await server.closed(0);
  });

  test('identity is none', async () => {
    const server = await openFixedServer('HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\nContent-Length: 2\r\n\r\nok');
    expect(await post(openHttp(), urlOf(server))).toMatchObject({ reply: { body: 'ok' } });
  });
});

describe('time', () => {
  const limits = { totalMs: 100 };

  test('no answer: TIMEOUT, and the connection is cut', async () => {
    const server = await openRawServer(() => undefined);
    const startedMs = performance.now();
    expect(await post(openHttp({ limits }), urlOf(server))).toEqual({ ok: false, failure: 'TIMEOUT', message: 'no answer in time' });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await server.closed(0);
  });

  test('a byte now and then, before the status: TIMEOUT', async () => {
    const server = await openRawServer((socket) => drip(socket, 'H', 10));
    expect((await post(openHttp({ limits }), urlOf(server))).ok).toBe(false);
    await server.closed(0);
  });

  test('a byte now and then, after the status: the status counts, with what came', async () => {
    const server = await openRawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      drip(socket, 'x', 10);
    });
    const result = await post(openHttp({ limits }), urlOf(server));
    expect(result).toMatchObject({ ok: true, reply: { status: 200, body: expect.stringMatching(/^x+$/) } });
    await server.closed(0);
  });

  test('the lookup counts too', async () => {
    const http = openHttp({ limits, lookup: () => new Promise(() => undefined) });
    expect(await post(http, 'http://slow.example:8000/')).toMatchObject({ ok: false, failure: 'TIMEOUT' });
  });

  test('a request whose time ran out while it waited for a connection is never sent', async () => {
    const server = await openRawServer((socket, chunk) => chunk.includes('x-third') && socket.write(OK));
    const clock = createManualClock();
    const http = openHttp({ clock, limits: { connectionsPerPoolMax: 1 } });
    const both = [post(http, urlOf(server), { 'x-first': '1' }), post(http, urlOf(server), { 'x-second': '1' })];
    await expect.poll(() => server.received()).toContain('x-first');
    clock.advance(10_000);
    expect(await Promise.all(both)).toMatchObject([{ failure: 'TIMEOUT' }, { failure: 'TIMEOUT' }]);
    // Waits behind the second.
    expect(await post(http, urlOf(server), { 'x-third': '1' })).toMatchObject({ ok: true });
    expect(server.received()).not.toContain('x-second');
  });
});

describe('what is not HTTP as it should be is PROTOCOL', () => {
  test.each([
    ['HTTP/0.9', 'hello\r\n'],
    ['another protocol', '220 mail.example ESMTP\r\n'],
    ['no status line', 'X-A: b\r\n\r\n'],
    ['Content-Length and Transfer-Encoding', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two Content-Lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
    ['a Content-Length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['a space in a header name', 'HTTP/1.1 200 OK\r\nX A: b\r\n\r\n'],
    ['100 Continue that nobody asked for', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['101 Switching Protocols', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n'],
    ['nine 103 Early Hints', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(9)],
  ])('%s', async (_what, answer) => {
    const server = await openFixedServer(answer);
    const http = openHttp({ limits: { totalMs: 500 } });
    const result = await post(http, urlOf(server));
    expect(result).toMatchObject({ ok: false, failure: 'PROTOCOL' });
    await server.closed(0);
  });

  test('10 MiB of headers: cut, and the next request is fine', async () => {
    let answers = 0;
    const server = await openRawServer((socket) => {
      answers += 1;
      if (answers > 1) return void socket.write(OK);
      socket.write('HTTP/1.1 200 OK\r\n');
      flood(socket, Buffer.from(`X-A: ${'x'.repeat(1_000)}\r\n`));
    });
    const http = openHttp();
    expect(await post(http, urlOf(server))).toEqual({ ok: false, failure: 'PROTOCOL', message: 'the answer has too many headers' });
    await server.closed(0);
    expect(await post(http, urlOf(server))).toMatchObject({ ok: true });
  });

  test('closed before an answer', async () => {
    const server = await openRawServer((socket) => socket.end());
    expect(await post(openHttp(), urlOf(server))).toMatchObject({ ok: false, failure: 'PROTOCOL', message: 'the connection was closed before an answer' });
  });
});

test('a body that breaks off after the status: the status counts', async () => {
  const server = await openRawServer((socket) => socket.end('HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nhalf'));
  expect(await post(openHttp(), urlOf(server))).toMatchObject({ ok: true, reply: { status: 202, body: 'half' } });
});

test('early hints are passed over', async () => {
  const server = await openFixedServer(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`);
  expect(await post(openHttp(), urlOf(server))).toMatchObject({ ok: true, reply: { status: 200, body: 'ok' } });
});

test('an answer that nobody asked for is no answer to the next request', async () => {
  const server = await openRawServer((socket) => socket.write(server.sockets.length === 1 ? `${OK}HTTP/1.1 201 Smuggled\r\nContent-Length: 0\r\n\r\n` : OK));
  const http = openHttp();
  expect(await post(http, urlOf(server))).toMatchObject({ ok: true, reply: { status: 200 } });
  expect(await post(http, urlOf(server))).toMatchObject({ ok: true, reply: { status: 200 } });
  expect(server.sockets.length).toBe(2);
});

test.each([301, 302, 303, 305, 307, 308])('%i is not followed', async (status) => {
  const elsewhere = await openFixedServer(OK);
  const server = await openFixedServer(`HTTP/1.1 ${status} Moved\r\nLocation: http://127.0.0.1:${elsewhere.port}/\r\nContent-Length: 0\r\n\r\n`);
  expect(await post(openHttp(), urlOf(server), { 'webhook-signature': 'v1,x' })).toMatchObject({ ok: true, reply: { status } });
  expect(elsewhere.sockets.length).toBe(0);
});
