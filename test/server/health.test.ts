import { afterEach, expect, test } from 'vitest';
import { TRUST_NOBODY } from '../../src/domain/client-address.ts';
import { type Front, startFront } from '../../src/server/front.ts';
import { createProbe } from '../../src/server/health.ts';
import { createLog } from '../../src/server/log.ts';
import { captureLogStrictly } from '../support/log.ts';

const log = captureLogStrictly();
let front: Front | null = null;

afterEach(async () => {
  await front?.stop();
});

/** A process with health routes only, on a database that answers as `ping` does. */
async function start(ping: () => Promise<unknown>): Promise<Front> {
  const trustProxy = TRUST_NOBODY;
  front = await startFront({ host: '127.0.0.1', port: 0, graphiql: true, trustProxy, log: createLog('info', log.stream), onError: () => {}, ping, api: null });
  return front;
}

async function get(path: string): Promise<[number, unknown]> {
  const response = await fetch(`${front?.url ?? ''}${path}`);
  return [response.status, await response.json()];
}

test('ready when told so, and while the database answers; it comes back by itself', async () => {
  let isGone = false;
  await start(() => (isGone ? Promise.reject(new Error('gone')) : Promise.resolve()));
  expect(await get('/readyz')).toEqual([503, { status: 'unavailable', reason: 'STARTING' }]);
  expect(await get('/livez')).toEqual([200, { status: 'ok' }]);
  front?.setReady();
  expect(await get('/readyz')).toEqual([200, { status: 'ok' }]);
  isGone = true;
  expect(await get('/readyz')).toEqual([503, { status: 'unavailable', reason: 'DATABASE' }]);
  expect(await get('/livez')).toEqual([200, { status: 'ok' }]);
  isGone = false;
  expect(await get('/readyz')).toEqual([200, { status: 'ok' }]);
});

test('a process that only sends has no API', async () => {
  await start(() => Promise.resolve());
  expect((await get('/graphql'))[0]).toBe(404);
  expect((await get('/v1/events'))[0]).toBe(404);
});

test('a request that is under way when the server stops is answered', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  await start(() => {
    asked.resolve();
    return promise;
  });
  front?.setReady();
  const answer = get('/readyz');
  await asked.promise;
  const stopped = front?.stop();
  resolve();
  expect(await answer).toEqual([200, { status: 'ok' }]);
  await stopped;
  await expect(get('/livez')).rejects.toThrow();
});

test('a database that says nothing counts as gone after a while, and is asked once at a time', async () => {
  let asked = 0;
  const probe = createProbe(() => {
    asked += 1;
    return new Promise(() => {});
  }, 20);
  expect(await Promise.all([probe(), probe()])).toEqual([false, false]);
  expect(asked).toBe(1);
});
