import { expect, test, vi } from 'vitest';
import { createBatch } from '../../src/graphql/batch.ts';

function loader() {
  return vi.fn((keys: string[]) => Promise.resolve(new Map(keys.filter((key) => key !== 'gone').map((key) => [key, key.toUpperCase()]))));
}

test('keys of one turn are loaded together, each once', async () => {
  const loadMany = loader();
  const load = createBatch(loadMany);
  const first = load('a');
  const later = Promise.resolve().then(() => load('b'));
  expect(await Promise.all([first, later, load('a'), load('gone')])).toEqual(['A', 'B', 'A', null]);
  expect(loadMany.mock.calls).toEqual([[['a', 'gone', 'b']]]);
});

test('nothing is kept: the next turn asks again', async () => {
  const loadMany = loader();
  const load = createBatch(loadMany);
  await load('a');
  await load('a');
  expect(loadMany).toHaveBeenCalledTimes(2);
});

test('a failure reaches everybody who asked, and the next turn starts afresh', async () => {
  const loadMany = loader();
  loadMany.mockRejectedValueOnce(new Error('database gone'));
  const load = createBatch(loadMany);
  const asked = [load('a'), load('b')];
  await expect(asked[0]).rejects.toThrow('database gone');
  await expect(asked[1]).rejects.toThrow('database gone');
  expect(await load('a')).toBe('A');
});
