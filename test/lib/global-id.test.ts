import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeGlobalId, globalId, inboxItemKey, keyOf, NODE_TYPES, splitInboxItemKey } from '../../src/lib/global-id.ts';

const UUID = '0192f0c1-7a3b-7def-8123-456789abcdef';

test.each(NODE_TYPES.filter((type) => type !== 'InboxItem'))('%s goes there and back', (type) => {
  expect(decodeGlobalId(globalId(type, UUID))).toEqual({ type, key: UUID });
});

test('an inbox item is numbered within its user', () => {
  const id = globalId('InboxItem', inboxItemKey(UUID, 42));
  expect(splitInboxItemKey(keyOf('InboxItem', id) ?? '')).toEqual({ userId: UUID, seq: 42 });
});

test('is safe in a URL and has no dot, as webhook-id demands', () => {
  for (const type of NODE_TYPES) expect(globalId(type, UUID)).toMatch(/^[A-Za-z0-9_-]+$/);
});

test.each([
  ['empty', ''],
  ['not base64url', 'a+b/='],
  ['no colon', Buffer.from('Channel').toString('base64url')],
  ['a type that there is not', Buffer.from(`Agenda:${UUID}`).toString('base64url')],
  ['a key that is no UUID', Buffer.from("Channel:1' OR '1'='1").toString('base64url')],
  ['upper case UUID: ids have one form', Buffer.from(`Channel:${UUID.toUpperCase()}`).toString('base64url')],
  ['an item without number', Buffer.from(`InboxItem:${UUID}`).toString('base64url')],
  ['item number 0', Buffer.from(`InboxItem:${UUID}:0`).toString('base64url')],
  ['an item number beyond what is exact', Buffer.from(`InboxItem:${UUID}:${'9'.repeat(16)}`).toString('base64url')],
  ['padding', Buffer.from(`User:${UUID}`).toString('base64')],
  ['too long', 'A'.repeat(201)],
])('refuses %s', (_why, text) => {
  expect(decodeGlobalId(text)).toBeNull();
});

test('an id of another type is no id of this one', () => {
  expect(keyOf('User', globalId('Channel', UUID))).toBeNull();
  expect(keyOf('Channel', globalId('Channel', UUID))).toBe(UUID);
});

test('never throws, and what it takes it would give out itself', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const id = decodeGlobalId(text);
      return id === null || globalId(id.type, id.key) === text;
    }),
  );
});
