import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseIp } from '../../src/lib/ip.ts';
import { addressesInHosts, createSystemLookup } from '../../src/net/lookup.ts';

const TYPE_A = 1;
const TYPE_AAAA = 28;

/** What the server says to a question: addresses, a response code, or nothing at all. */
type Zone = (name: string, type: number) => readonly string[] | number | null;

/** A name server on loopback (RFC 1035 4.1), with a record of the names that it was asked for. */
async function openNameServer(zone: Zone): Promise<{ server: string; asked: Set<string> }> {
  const socket: Socket = createSocket('udp4');
  const asked = new Set<string>();
  socket.on('message', (query, from) => {
    const { name, type, end } = readQuestion(query);
    asked.add(name);
    const answer = zone(name, type);
    if (answer !== null) socket.send(toReply(query, end, type, answer), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  return { server: `127.0.0.1:${socket.address().port}`, asked };
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function toReply(query: Buffer, end: number, type: number, answer: readonly string[] | number): Buffer {
  const addresses = typeof answer === 'number' ? [] : answer;
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(0x8180 | (typeof answer === 'number' ? answer : 0), 2);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt32BE(0, 8);
  const records = addresses.map((address) => {
    const size = type === TYPE_A ? 4 : 16;
    const record = Buffer.alloc(12 + size);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(type, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt16BE(size, 10);
    record.write((parseIp(address)?.value ?? 0n).toString(16).padStart(size * 2, '0'), 12, 'hex');
    return record;
  });
  return Buffer.concat([head, ...records]);
}

const ofType =
  (a: readonly string[] | number | null, aaaa: readonly string[] | number | null): Zone =>
  (_name, type) =>
    type === TYPE_AAAA ? aaaa : a;
const NO_HOSTS = { hostsFile: '/nonexistent' };
const SERVFAIL = 2;
const NXDOMAIN = 3;

describe('DNS', () => {
  test('gives every address of both families', async () => {
    const { server } = await openNameServer(ofType(['1.0.0.1', '1.0.0.2'], ['2606:4700::1']));
    expect(await createSystemLookup({ ...NO_HOSTS, servers: [server] })('a.example')).toEqual(['1.0.0.1', '1.0.0.2', '2606:4700::1']);
  });

  test.each([
    ['A only', [['1.0.0.1'], []], ['1.0.0.1']],
    ['AAAA only', [[], ['2606:4700::1']], ['2606:4700::1']],
    ['AAAA fails', [['1.0.0.1'], SERVFAIL], ['1.0.0.1']],
    ['A fails', [SERVFAIL, ['2606:4700::1']], ['2606:4700::1']],
  ] as const)('%s', async (_what, [a, aaaa], expected) => {
    const { server } = await openNameServer(ofType(a, aaaa));
    expect(await createSystemLookup({ ...NO_HOSTS, servers: [server] })('a.example')).toEqual(expected);
  });

  test('AAAA that never comes does not hold up A for longer than the time given', async () => {
    const { server } = await openNameServer(ofType(['1.0.0.1'], null));
    const startedMs = performance.now();
    expect(await createSystemLookup({ ...NO_HOSTS, servers: [server], timeoutMs: 100 })('a.example')).toEqual(['1.0.0.1']);
    expect(performance.now() - startedMs).toBeLessThan(1_400);
  });

  test.each([
    ['there is no such name', ofType(NXDOMAIN, NXDOMAIN)],
    ['the server fails', ofType(SERVFAIL, SERVFAIL)],
    ['the server is silent', ofType(null, null)],
  ])('rejects where %s', async (_what, zone) => {
    const { server } = await openNameServer(zone);
    await expect(createSystemLookup({ ...NO_HOSTS, servers: [server], timeoutMs: 100 })('a.example')).rejects.toThrow();
  });

  test('is asked for the name itself, never with a search domain', async () => {
    const { server, asked } = await openNameServer(ofType(NXDOMAIN, NXDOMAIN));
    await expect(createSystemLookup({ ...NO_HOSTS, servers: [server] })('redis')).rejects.toThrow();
    expect([...asked]).toEqual(['redis']);
  });
});

const HOSTS = `# 1.1.1.1 commented.example
127.0.0.1\tlocalhost loop.example # 9.9.9.9
::1 localhost
fe80::1%lo0 localhost
10.0.0.5   Receiver.Internal
nonsense broken.example
`;

describe('the hosts file', () => {
  test.each([
    ['localhost', ['127.0.0.1', '::1']],
    ['localhost.', ['127.0.0.1', '::1']],
    ['loop.example', ['127.0.0.1']],
    ['receiver.internal', ['10.0.0.5']],
    ['internal', []],
    ['commented.example', []],
    ['broken.example', []],
    ['127.0.0.1', []],
  ])('%s', (host, expected) => {
    expect(addressesInHosts(HOSTS, host)).toEqual(expected);
  });

  test('comes before DNS', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tocsin-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const hostsFile = join(folder, 'hosts');
    await writeFile(hostsFile, HOSTS);
    const { server, asked } = await openNameServer(ofType(['1.0.0.1'], []));
    const lookup = createSystemLookup({ hostsFile, servers: [server] });
    expect(await lookup('receiver.internal')).toEqual(['10.0.0.5']);
    expect(asked.size).toBe(0);
    expect(await lookup('a.example')).toEqual(['1.0.0.1']);
  });
});
