import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type OpenSocket, openTcpSocket } from '../../src/net/connect.ts';
import { createGuardedHttp } from '../../src/net/guarded-http.ts';
import type { Lookup } from '../../src/net/lookup.ts';
import { CLOSED_POLICY, createManualClock, listen, openHttp, recordDials } from './harness.ts';

interface Vector {
  id: string;
  class: string;
  url: string;
  expect: 'allow' | 'deny';
  strength: 'must' | 'policy';
  why: string;
  ip: string | null;
  dns?: { A?: string[]; AAAA?: string[]; error?: string; delay_ms?: number; sequence?: string[][] };
  never_reach?: string[];
  redirect?: { status: number; location: string };
}

const VECTORS = JSON.parse(readFileSync(new URL('../vectors/egress.json', import.meta.url), 'utf8')) as Vector[];

/** A name without addresses may have some later: the send ends as DNS, which is retried. */
const UNRESOLVED = new Set(['name-038', 'name-039', 'name-040']);

/** Public places in a form that any webhook may have: whether a Slack or Discord channel may point there is that channel's rule (test/channels/provider-vectors.test.ts). */
const PROVIDER_RULES = new Set(['provider-host-001', 'provider-host-002', 'provider-host-004', 'provider-host-006', 'provider-host-013', 'provider-host-015']);

const PUBLIC_ADDRESS = '93.184.216.34';

function scriptLookup(vector: Vector, after: (ms: number, run: () => void) => unknown): Lookup {
  const { A = [], AAAA = [], error, delay_ms: delayMs, sequence } = vector.dns ?? { A: [PUBLIC_ADDRESS] };
  let calls = 0;
  return () => {
    calls += 1;
    if (error !== undefined) return Promise.reject(Object.assign(new Error(error), { code: error }));
    const answer = sequence === undefined ? [...A, ...AAAA] : (sequence[Math.min(calls, sequence.length) - 1] ?? []);
    return delayMs === undefined ? Promise.resolve(answer) : new Promise((resolve) => after(delayMs, () => resolve(answer)));
  };
}

/** Refuses every connection, as a closed port does. */
const refuseConnection: OpenSocket = () => {
  const socket = new Socket();
  process.nextTick(() => socket.destroy(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })));
  return socket;
};

function openScripted(vector: Vector) {
  const clock = createManualClock();
  const { openSocket, dials } = recordDials(refuseConnection);
  const http = createGuardedHttp({ policy: CLOSED_POLICY, lookup: scriptLookup(vector, clock.after), clock, openSocket });
  const settle = async <T>(promise: Promise<T>): Promise<T> => {
    clock.advance(vector.dns?.delay_ms === undefined ? 0 : 5_000);
    return promise;
  };
  return {
    dials,
    clock,
    check: () => settle(http.check(vector.url)),
    post: () => settle(http.post({ url: vector.url, headers: {}, body: '{}' })),
  };
}

const SCENARIOS = new Set(['redirect', 'rebind']);
const PLAIN = VECTORS.filter((vector) => !SCENARIOS.has(vector.class) && !PROVIDER_RULES.has(vector.id));

describe('one URL', () => {
  test.each(PLAIN.filter((vector) => vector.expect === 'deny'))('$id is refused: $why', async (vector) => {
    const saving = openScripted(vector);
    expect((await saving.check()).ok).toBe(false);
    const sending = openScripted(vector);
    const result = await sending.post();
    expect(result).toMatchObject({ ok: false, failure: UNRESOLVED.has(vector.id) ? 'DNS' : 'EGRESS_REFUSED' });
    expect([...saving.dials, ...sending.dials]).toEqual([]);
    expect(JSON.stringify(result)).not.toMatch(/\d\.\d|::/);
  });

  test.each(PLAIN.filter((vector) => vector.expect === 'allow'))('$id passes up to the connection: $why', async (vector) => {
    const scripted = openScripted(vector);
    expect(await scripted.check()).toEqual({ ok: true });
    expect(await scripted.post()).toMatchObject({ ok: false, failure: 'CONNECT' });
    const addresses = vector.ip === null ? [...(vector.dns?.A ?? []), ...(vector.dns?.AAAA ?? [])] : [vector.ip];
    const port = Number(/^[^/]+\/\/[^/]+?:(\d+)\//.exec(vector.url)?.[1] ?? 443);
    expect(scripted.dials).toEqual([{ addresses, port }]);
  });
});

test('who saves a URL is not told whether a host that may not be reached exists', async () => {
  const answers = ['name-038', 'name-040', 'iana-edge-005'].map((id) => openScripted(PLAIN.find((vector) => vector.id === id) as Vector).check());
  const messages = (await Promise.all(answers)).map((answer) => (answer.ok ? 'ok' : answer.message));
  expect(new Set(messages)).toEqual(new Set([messages[0]]));
  expect(messages[0]).not.toBe('ok');
});

describe('a name that changes between save and send', () => {
  test.each(VECTORS.filter((vector) => vector.class === 'rebind'))('$id: $expect, $why', async (vector) => {
    const scripted = openScripted(vector);
    const saved = await scripted.check();
    scripted.clock.advance(30_000);
    const sent = saved.ok ? await scripted.post() : null;
    expect(sent !== null && !sent.ok && sent.failure === 'CONNECT').toBe(vector.expect === 'allow');
    const dialled = scripted.dials.flatMap((dial) => dial.addresses);
    expect(dialled).toEqual(vector.expect === 'allow' ? vector.dns?.sequence?.[1] : []);
    for (const address of vector.never_reach ?? []) expect(dialled).not.toContain(address);
  });
});

describe('a redirect is an answer like others', () => {
  const pem = (name: string): string => readFileSync(new URL(`./tls/${name}`, import.meta.url), 'utf8');

  test.each(VECTORS.filter((vector) => vector.class === 'redirect'))('$id: $why', async (vector) => {
    let requests = 0;
    const server = createServer({ key: pem('receiver.key'), cert: pem('receiver.pem') }, (_request, response) => {
      requests += 1;
      response.writeHead(vector.redirect?.status ?? 0, { location: vector.redirect?.location });
      response.end();
    });
    const toPort = await listen(server);
    onTestFinished(() => void server.close());
    const { openSocket, dials } = recordDials(openTcpSocket);
    const policy = { ...CLOSED_POLICY, hosts: [{ host: 'hooks.example.com', port: null, address: '127.0.0.1', toPort }] };
    const http = openHttp({ policy, ca: pem('ca.pem'), openSocket });
    expect(await http.post({ url: vector.url, headers: {}, body: '{}' })).toMatchObject({
      ok: true,
      reply: { status: vector.redirect?.status, headers: { location: vector.redirect?.location } },
    });
    expect(requests).toBe(1);
    expect(dials).toEqual([{ addresses: ['127.0.0.1'], port: toPort }]);
  });
});

test('the table is whole, and every exception is of it', () => {
  const ids = new Set(VECTORS.map((vector) => vector.id));
  expect(VECTORS.filter((vector) => vector.strength === 'must').length).toBe(374);
  expect(VECTORS.filter((vector) => vector.strength === 'policy').length).toBe(35);
  expect([...UNRESOLVED, ...PROVIDER_RULES].filter((id) => !ids.has(id))).toEqual([]);
});
