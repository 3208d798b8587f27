import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createKeyring, parseSecretKeys, SealError } from '../../src/lib/seal.ts';

const old = { id: '2025', key: Buffer.alloc(32, 1) };
const current = { id: '2026', key: Buffer.alloc(32, 2) };
const ring = createKeyring([current, old]);

function failure(run: () => unknown): { failure: string; keyId: string | null; message: string } {
  try {
    run();
  } catch (error) {
    if (error instanceof SealError) return { failure: error.failure, keyId: error.keyId, message: error.message };
    throw error;
  }
  throw new Error('it opened');
}

describe('seal and open', () => {
  test('whatever is sealed opens at its own place', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (plain, associated) => {
        expect(ring.open(ring.seal(plain, associated), associated)).toBe(plain);
      }),
    );
  });

  test('the first key seals, all of them open', () => {
    expect(ring.seal('s', 'row')).toMatch(/^v1\.2026\.[A-Za-z0-9_-]+$/);
    expect(ring.open(createKeyring([old]).seal('s', 'row'), 'row')).toBe('s');
  });

  test('the same text twice gives two results, neither of which shows it', () => {
    const sealed = [ring.seal('hunter2-hunter2', 'row'), ring.seal('hunter2-hunter2', 'row')];
    expect(sealed[0]).not.toBe(sealed[1]);
    expect(sealed.join()).not.toContain(Buffer.from('hunter2').toString('base64url').slice(0, 8));
  });

  test('a text swapped into another row is refused', () => {
    const sealed = ring.seal('s', 'row 1');
    expect(failure(() => ring.open(sealed, 'row 2'))).toMatchObject({ failure: 'REFUSED', keyId: '2026' });
  });

  test.each([
    ['row.2026', ''],
    ['', 'row.2026'],
    ['row', 'row\0'],
  ])('the associated data %j is not %j', (one, other) => {
    expect(failure(() => ring.open(ring.seal('s', one), other)).failure).toBe('REFUSED');
  });

  test('another key id, of the same key, is refused: the id is under the tag', () => {
    const twins = createKeyring([
      { id: 'a', key: current.key },
      { id: 'b', key: current.key },
    ]);
    expect(failure(() => twins.open(twins.seal('s', 'row').replace('v1.a.', 'v1.b.'), 'row'))).toMatchObject({ failure: 'REFUSED', keyId: 'b' });
  });

  test('every single changed bit of the bytes is refused', () => {
    const sealed = ring.seal('a secret', 'row');
    const [version, id, text = ''] = sealed.split('.');
    const bytes = Buffer.from(text, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(failure(() => ring.open(`${version}.${id}.${changed.toString('base64url')}`, 'row')).failure).toBe('REFUSED');
    }
  });

  // Of these lengths the last character of base64url has no, two and four spare bits.
  test.each(['8 bytes.', '10 bytes..', '9 bytes..'])('every single changed, dropped or added character of the text is refused: %s', (plain) => {
    const sealed = ring.seal(plain, 'row');
    for (let at = 0; at < sealed.length; at += 1) {
      for (const other of ['', ...'ABCDQRSTghijwxyz_=. '.split('')]) {
        if (other !== sealed[at]) expect(() => ring.open(sealed.slice(0, at) + other + sealed.slice(at + 1), 'row')).toThrow(SealError);
      }
      expect(() => ring.open(`${sealed.slice(0, at)}-${sealed.slice(at)}`, 'row')).toThrow(SealError);
    }
  });

  test.each([4, 8, 12, 15])('a tag cut to %i bytes is refused', (tagBytes) => {
    const [version, id, text = ''] = ring.seal('a longer secret', 'row').split('.');
    const bytes = Buffer.from(text, 'base64url');
    const cut = bytes.subarray(0, bytes.length - 16 + tagBytes).toString('base64url');
    expect(failure(() => ring.open(`${version}.${id}.${cut}`, 'row')).failure).toBe('REFUSED');
  });

  test.each([
    ['', 'MALFORMED'],
    ['plain text', 'MALFORMED'],
    ['v2.2026.AAAA', 'MALFORMED'],
    ['v1.2026', 'MALFORMED'],
    ['v1.2026.AAAA', 'MALFORMED'],
    [`v1.2026.${'A'.repeat(40)}.x`, 'MALFORMED'],
    [`v1.${'k'.repeat(33)}.${'A'.repeat(40)}`, 'MALFORMED'],
    [`v1.2024.${'A'.repeat(40)}`, 'UNKNOWN_KEY'],
    [`v1.2026.${'A'.repeat(40)}`, 'REFUSED'],
  ])('%j is %s', (sealed, reason) => {
    expect(failure(() => ring.open(sealed, 'row')).failure).toBe(reason);
  });

  test('a key that is gone is named, the content is not', () => {
    const sealed = createKeyring([old]).seal('hunter2', 'row');
    const { message } = failure(() => createKeyring([current]).open(sealed, 'row'));
    expect(message).toContain('2025');
    expect(message).not.toContain(sealed.slice(-8));
    expect(failure(() => createKeyring([{ id: '2025', key: randomBytes(32) }]).open(sealed, 'row')).message).not.toContain('hunter2');
  });

  test('the empty text can be sealed', () => {
    expect(ring.open(ring.seal('', ''), '')).toBe('');
  });

  test.each([
    ['no key', []],
    ['a key of 16 bytes', [{ id: 'a', key: Buffer.alloc(16) }]],
    ['an id with a dot', [{ id: 'a.b', key: Buffer.alloc(32) }]],
    ['an id used twice', [old, { ...current, id: old.id }]],
  ])('%s makes no keyring', (_, keys) => {
    expect(() => createKeyring(keys)).toThrow(TypeError);
  });
});

describe('parseSecretKeys', () => {
  const key = Buffer.alloc(32, 0xfb);

  test.each([
    ['one', `a:${key.toString('base64')}`, ['a']],
    ['several, the first first', `b:${key.toString('base64')},a:${key.toString('base64')}`, ['b', 'a']],
    ['base64url without padding', `a:${key.toString('base64url')}`, ['a']],
    ['white space around', ` a : ${key.toString('base64')} `, ['a']],
  ])('%s', (_, text, ids) => {
    const parsed = parseSecretKeys(text);
    expect(parsed.ok && parsed.keys.map(({ id }) => id)).toEqual(ids);
    expect(parsed.ok && parsed.keys.every((one) => one.key.equals(key))).toBe(true);
  });

  test.each([
    ['nothing', '', 1],
    ['no colon', key.toString('base64'), 1],
    ['no id', `:${key.toString('base64')}`, 1],
    ['an id with a space', `a b:${key.toString('base64')}`, 1],
    ['an id of 33 characters', `${'a'.repeat(33)}:${key.toString('base64')}`, 1],
    ['31 bytes', `a:${Buffer.alloc(31, 7).toString('base64')}`, 1],
    ['33 bytes', `a:${Buffer.alloc(33, 7).toString('base64')}`, 1],
    ['characters that are no base64', `a:${'!'.repeat(3)}${key.toString('base64')}`, 1],
    ['an id used twice', `a:${key.toString('base64')},a:${key.toString('base64')}`, 2],
    ['an empty entry', `a:${key.toString('base64')},`, 2],
  ])('%s is a problem that names the place and repeats nothing', (_, text, place) => {
    const parsed = parseSecretKeys(text);
    expect(parsed.ok).toBe(false);
    const problem = parsed.ok ? '' : parsed.problem;
    expect(problem).toContain(`key ${place}`);
    expect(problem).not.toContain(key.toString('base64').slice(0, 6));
  });
});
