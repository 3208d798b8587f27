import { describe, expect, test, vi } from 'vitest';
import { createEgressGuard, type EgressGuardOptions } from '../../src/net/egress-guard.ts';
import type { Lookup } from '../../src/net/lookup.ts';
import { CLOSED_POLICY, createManualClock } from './harness.ts';

const PUBLIC = '93.184.216.34';
const OTHER_PUBLIC = '93.184.216.35';

function open(lookup: Lookup, more: Partial<EgressGuardOptions> = {}) {
  const clock = createManualClock();
  const spy = vi.fn(lookup);
  return { clock, lookup: spy, guard: createEgressGuard({ policy: CLOSED_POLICY, lookup: spy, clock, ...more }) };
}

const ENOTFOUND = Object.assign(new Error('not found'), { code: 'ENOTFOUND' });

describe('what was checked counts for 30 s', () => {
  test('then it is looked up anew', async () => {
    const { guard, lookup, clock } = open(() => Promise.resolve([PUBLIC]));
    expect(await guard.judge('a.example', 443)).toEqual({ ok: true, addresses: [PUBLIC], port: 443 });
    clock.advance(29_999);
    expect(guard.judge('a.example', 8443)).toEqual({ ok: true, addresses: [PUBLIC], port: 8443 });
    expect(lookup).toHaveBeenCalledTimes(1);
    clock.advance(1);
    await guard.judge('a.example', 443);
    expect(lookup).toHaveBeenCalledTimes(2);
  });

  test('a clock that was set back makes it stale', async () => {
    const { guard, lookup, clock } = open(() => Promise.resolve([PUBLIC]));
    await guard.judge('a.example', 443);
    clock.advance(-1);
    await guard.judge('a.example', 443);
    expect(lookup).toHaveBeenCalledTimes(2);
  });

  test('a failure counts for 5 s', async () => {
    const { guard, lookup, clock } = open(() => Promise.reject(ENOTFOUND));
    expect(await guard.judge('a.example', 443)).toEqual({ ok: false, failure: 'DNS' });
    clock.advance(4_999);
    expect(guard.judge('a.example', 443)).toEqual({ ok: false, failure: 'DNS' });
    expect(lookup).toHaveBeenCalledTimes(1);
    clock.advance(1);
    await guard.judge('a.example', 443);
    expect(lookup).toHaveBeenCalledTimes(2);
  });

  test('asked at once by many, a name is looked up once', async () => {
    const { guard, lookup } = open(() => Promise.resolve([PUBLIC]));
    const verdicts = await Promise.all(Array.from({ length: 50 }, async () => guard.judge('a.example', 443)));
    expect(verdicts.every((verdict) => verdict.ok)).toBe(true);
    expect(lookup).toHaveBeenCalledTimes(1);
  });

  test('the cache is bounded: the name learned longest ago goes', async () => {
    const { guard, lookup } = open(() => Promise.resolve([PUBLIC]), { limits: { hostsMax: 2 } });
    for (const host of ['a.example', 'b.example', 'c.example', 'c.example', 'b.example']) await guard.judge(host, 443);
    expect(lookup).toHaveBeenCalledTimes(3);
    await guard.judge('a.example', 443);
    expect(lookup).toHaveBeenCalledTimes(4);
  });
});

describe('the lookup', () => {
  test('has 5 s', async () => {
    const { guard, clock } = open(() => new Promise(() => undefined));
    const verdict = guard.judge('slow.example', 443);
    clock.advance(5_000);
    expect(await verdict).toEqual({ ok: false, failure: 'DNS' });
  });

  test('that ends later changes nothing', async () => {
    const answer = Promise.withResolvers<readonly string[]>();
    const { guard, clock } = open(() => answer.promise);
    const verdict = guard.judge('slow.example', 443);
    clock.advance(5_000);
    expect(await verdict).toEqual({ ok: false, failure: 'DNS' });
    answer.resolve([PUBLIC]);
    await answer.promise;
    expect(guard.judge('slow.example', 443)).toEqual({ ok: false, failure: 'DNS' });
  });

  test('without addresses is a failure, not a leave', async () => {
    expect(await open(() => Promise.resolve([])).guard.judge('a.example', 443)).toEqual({ ok: false, failure: 'DNS' });
  });

  test('is not made for a literal', async () => {
    const { guard, lookup } = open(() => Promise.resolve([PUBLIC]));
    expect(await guard.judge('10.0.0.1', 443)).toEqual({ ok: false, failure: 'EGRESS_REFUSED' });
    expect(await guard.judge('::1', 443)).toEqual({ ok: false, failure: 'EGRESS_REFUSED' });
    expect(await guard.judge(PUBLIC, 443)).toEqual({ ok: true, addresses: [PUBLIC], port: 443 });
    expect(lookup).not.toHaveBeenCalled();
  });
});

describe('the addresses', () => {
  test.each([
    [[PUBLIC, '10.0.0.1']],
    [['10.0.0.1', PUBLIC]],
    [[PUBLIC, 'fd00::1']],
    [[PUBLIC, 'no address']],
    [[...Array<string>(31).fill(PUBLIC), '127.0.0.1']],
  ])('one that may not be reached refuses the host: %j', async (addresses) => {
    expect(await open(() => Promise.resolve(addresses)).guard.judge('a.example', 443)).toEqual({ ok: false, failure: 'EGRESS_REFUSED' });
  });

  test('three of each family are tried, in the order given', async () => {
    const addresses = ['2606:4700::1', '1.0.0.1', '1.0.0.2', '2606:4700::2', '1.0.0.3', '1.0.0.4', '2606:4700::3', '2606:4700::4'];
    expect(await open(() => Promise.resolve(addresses)).guard.judge('a.example', 443)).toMatchObject({
      addresses: ['2606:4700::1', '1.0.0.1', '1.0.0.2', '2606:4700::2', '1.0.0.3', '2606:4700::3'],
    });
  });

  test('of the ranges that the operator opened pass', async () => {
    const policy = { ...CLOSED_POLICY, allowCidrs: ['10.0.0.0/8'] };
    const { guard } = open(() => Promise.resolve([OTHER_PUBLIC, '10.1.2.3']), { policy });
    expect(await guard.judge('a.example', 443)).toEqual({ ok: true, addresses: [OTHER_PUBLIC, '10.1.2.3'], port: 443 });
  });
});

test("a host of the operator's list needs no range and no lookup, for its port alone where one is given", async () => {
  const policy = { ...CLOSED_POLICY, hosts: [{ host: 'hooks.slack.com', port: 443, address: '127.0.0.1', toPort: 8443 }] };
  const { guard, lookup } = open(() => Promise.resolve(['127.0.0.1']), { policy });
  expect(guard.judge('hooks.slack.com', 443)).toEqual({ ok: true, addresses: ['127.0.0.1'], port: 8443 });
  expect(lookup).not.toHaveBeenCalled();
  expect(await guard.judge('hooks.slack.com', 444)).toEqual({ ok: false, failure: 'EGRESS_REFUSED' });
});
