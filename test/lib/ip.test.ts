import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isInRange, isSameIp, parseIp, parseIpRange } from '../../src/lib/ip.ts';

describe('parseIp', () => {
  test.each([
    ['0.0.0.0', 4, 0n],
    ['255.255.255.255', 4, 0xffff_ffffn],
    ['1.2.3.4', 4, 0x0102_0304n],
    ['::', 6, 0n],
    ['::1', 6, 1n],
    ['1::', 6, 1n << 112n],
    ['0:0:0:0:0:0:0:1', 6, 1n],
    ['::FFFF:1.2.3.4', 6, 0xffff_0102_0304n],
    ['1:2:3:4:5:6:7:8', 6, 0x0001_0002_0003_0004_0005_0006_0007_0008n],
    ['1:2:3:4:5:6:1.2.3.4', 6, 0x0001_0002_0003_0004_0005_0006_0102_0304n],
    ['1::3:4:5:6:7:8', 6, 0x0001_0000_0003_0004_0005_0006_0007_0008n],
  ] as const)('%s', (text, family, value) => {
    expect(parseIp(text)).toEqual({ family, value });
  });

  test.each([
    ['', 'empty'],
    ['1.2.3', 'three parts'],
    ['1.2.3.4.5', 'five parts'],
    ['01.2.3.4', 'a leading zero, octal elsewhere'],
    ['256.0.0.1', 'an octet over 255'],
    ['0x7f.0.0.1', 'hexadecimal'],
    ['1.2.3.4 ', 'a space'],
    [':', 'one colon'],
    [':::', 'three colons'],
    ['1::2::3', 'two gaps'],
    ['1:2:3:4:5:6:7', 'seven groups'],
    ['1:2:3:4:5:6:7:8:9', 'nine groups'],
    ['1:2:3:4::5:6:7:8', 'a gap for nothing'],
    ['12345::', 'a group of five digits'],
    ['fe80::1%eth0', 'a zone id'],
    ['[::1]', 'brackets'],
    ['::1.2.3', 'a short dotted tail'],
    ['1.2.3.4::', 'a dotted head'],
    ['::1.2.3.4:5', 'a dotted part in the middle'],
    ['::ffff:127.0.0.256', 'a dotted octet over 255'],
    [':1::', 'a lone colon in front'],
  ])('%s is none: %s', (text) => {
    expect(parseIp(text)).toBeNull();
  });

  test('agrees with node:net on what is an address', () => {
    const part = fc.oneof(fc.constantFrom('', '0', '1', 'ffff', '12345', '255', '256', '01', '::', ':', '.', '1.2.3.4'), fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(
        fc.oneof(
          fc.ipV4(),
          fc.ipV6(),
          fc.array(part, { maxLength: 9 }).chain((parts) => fc.constantFrom(parts.join(':'), parts.join('.'), parts.join(''))),
        ),
        (text) => {
          expect(parseIp(text)?.family ?? 0).toBe(isIP(text));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('parseIpRange and isInRange', () => {
  test.each([
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.1.2.3/8', '10.0.0.0', true],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.4', false],
    ['0.0.0.0/0', '255.255.255.255', true],
    ['0.0.0.0/0', '::', false],
    ['::/0', 'ffff::', true],
    ['::/0', '1.2.3.4', false],
    ['fc00::/7', 'fdff::1', true],
    ['fc00::/7', 'fe00::', false],
    ['::1/128', '::1', true],
  ])('%s has %s: %s', (rangeText, ip, expected) => {
    const range = parseIpRange(rangeText);
    const address = parseIp(ip);
    expect(range !== null && address !== null && isInRange(address, range)).toBe(expected);
  });

  test.each(['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/08', '10.0.0.0/8/8', '/8', 'example.com/8'])('%s is no range', (text) => {
    expect(parseIpRange(text)).toBeNull();
  });
});

test.each([
  ['::1', '0:0::1', true],
  ['2001:DB8::1', '2001:db8:0::1', true],
  ['127.0.0.1', '::ffff:127.0.0.1', false],
  ['127.0.0.1', '127.0.0.2', false],
  ['', '', false],
])('isSameIp %s %s: %s', (one, other, expected) => {
  expect(isSameIp(one, other)).toBe(expected);
});
