import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { NO_CONNECTION } from '../../src/net/egress-error.ts';
import { CLOSED_POLICY, listen, openFixedServer, openHttp, openRawServer, post, runScript } from './harness.ts';

const pathOf = (name: string): string => fileURLToPath(new URL(`./tls/${name}`, import.meta.url));
const pem = (name: string): string => readFileSync(pathOf(name), 'utf8');
const ca = pem('ca.pem');

async function openReceiver(
  cert = 'receiver.pem',
): Promise<{ port: number; seen: { host: string | undefined; servername: unknown; alpn: string | false | null }[] }> {
  const seen: Awaited<ReturnType<typeof openReceiver>>['seen'] = [];
  const server = createServer({ key: pem('receiver.key'), cert: pem(cert), ALPNProtocols: ['h2', 'http/1.1'] }, (request, response) => {
    const { socket } = request;
    if (socket instanceof TLSSocket) seen.push({ host: request.headers.host, servername: Reflect.get(socket, 'servername'), alpn: socket.alpnProtocol });
    response.end('ok');
  });
  const port = await listen(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port, seen };
}

const leadTo = (host: string, toPort: number) => ({ ...CLOSED_POLICY, hosts: [{ host, port: null, address: '127.0.0.1', toPort }] });

test('TLS names the host of the URL, whatever it is connected to, and speaks HTTP/1.1', async () => {
  const receiver = await openReceiver();
  const http = openHttp({ policy: leadTo('hooks.slack.com', receiver.port), ca });
  expect(await post(http, 'https://hooks.slack.com/services/T/B/x')).toMatchObject({ ok: true, reply: { status: 200, body: 'ok' } });
  expect(receiver.seen).toEqual([{ host: 'hooks.slack.com', servername: 'hooks.slack.com', alpn: 'http/1.1' }]);
});

test('a name with a dot at its end is the same name', async () => {
  const receiver = await openReceiver();
  const http = openHttp({ policy: leadTo('hooks.slack.com.', receiver.port), ca });
  expect(await post(http, 'https://hooks.slack.com./')).toMatchObject({ ok: true });
  expect(receiver.seen).toMatchObject([{ servername: 'hooks.slack.com' }]);
});

describe('a certificate that is not right is TLS, and nothing is sent', () => {
  test.each([
    ['for another name', 'other.example', 'receiver.pem', ca, 'the TLS certificate is for another name'],
    ['for a name, where the URL has an address', '127.0.0.1', 'receiver.pem', ca, 'the TLS certificate is for another name'],
    ['of a CA that nobody trusts', 'hooks.example.com', 'receiver.pem', undefined, 'the TLS certificate is not one that this server trusts'],
    ['expired', 'hooks.example.com', 'expired.pem', ca, 'the TLS certificate has expired'],
  ])('%s', async (_what, host, cert, trusted, message) => {
    const receiver = await openReceiver(cert);
    const http = openHttp({ policy: leadTo(host, receiver.port), ...(trusted === undefined ? {} : { ca: trusted }) });
    expect(await post(http, `https://${host}/`)).toEqual({ ok: false, failure: 'TLS', message });
    expect(receiver.seen).toEqual([]);
  });

  test('NODE_TLS_REJECT_UNAUTHORIZED=0 changes nothing', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    onTestFinished(() => void vi.unstubAllEnvs());
    const receiver = await openReceiver();
    const http = openHttp({ policy: leadTo('hooks.example.com', receiver.port) });
    expect(await post(http, 'https://hooks.example.com/')).toMatchObject({ ok: false, failure: 'TLS' });
  });
});

test('who does not speak TLS is TLS', async () => {
  const server = await openFixedServer('HTTP/1.1 400 Bad Request\r\n\r\n');
  const http = openHttp({ policy: leadTo('hooks.example.com', server.port), ca });
  expect(await post(http, 'https://hooks.example.com/')).toEqual({ ok: false, failure: 'TLS', message: 'the TLS handshake failed' });
});

test('a handshake that stalls ends with the time to connect', async () => {
  const server = await openRawServer(() => undefined);
  const http = openHttp({ policy: leadTo('hooks.example.com', server.port), ca, limits: { connectMs: 50 } });
  expect(await post(http, 'https://hooks.example.com/')).toEqual({ ok: false, failure: 'CONNECT', message: NO_CONNECTION });
  await server.closed(0);
});

test('the environment: NODE_EXTRA_CA_CERTS is trusted, proxies are not used', async () => {
  const receiver = await openReceiver();
  const proxy = await openRawServer((socket) => socket.end());
  const proxyUrl = `http://127.0.0.1:${proxy.port}`;
  const output = await runScript('send-once.ts', [String(receiver.port)], {
    env: {
      NODE_EXTRA_CA_CERTS: pathOf('ca.pem'),
      NODE_USE_ENV_PROXY: '1',
      HTTP_PROXY: proxyUrl,
      HTTPS_PROXY: proxyUrl,
      ALL_PROXY: proxyUrl,
      http_proxy: proxyUrl,
      https_proxy: proxyUrl,
    },
  });
  expect(JSON.parse(output)).toMatchObject({ ok: true, reply: { status: 200 } });
  expect(receiver.seen.length).toBe(1);
  expect(proxy.sockets.length).toBe(0);
});
