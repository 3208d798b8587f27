import { buildSchema, type GraphQLInputType, type GraphQLScalarType, parseValue } from 'graphql';
import { describe, expect, test } from 'vitest';
import { checkInput, viewOfJson, viewOfLiteral } from '../../src/graphql/input-check.ts';
import type { InputIssue } from '../../src/lib/error.ts';

const SECRET = 'canary-4711';

const schema = buildSchema(`
  scalar DateTime
  enum Color { RED GREEN }
  input Inner { id: ID! count: Int }
  input Choice @oneOf { a: String b: Inner }
  input Outer { name: String! at: DateTime color: Color flags: [Boolean!] inner: Inner inners: [Inner!] choice: Choice ratio: Float }
  type Query { field(input: Outer): Int }
`);
const outer = schema.getType('Outer') as GraphQLInputType;
(schema.getType('DateTime') as GraphQLScalarType).parseValue = (value) => {
  if (typeof value !== 'string' || !value.startsWith('2026-')) throw new Error(`bad: ${String(value)}`);
  return value;
};

function issuesOf(view: Parameters<typeof checkInput>[1]): InputIssue[] {
  const issues: InputIssue[] = [];
  checkInput(outer, view, '', issues);
  return issues;
}

test('what is right passes', () => {
  const good = { name: 'n', at: '2026-01-01', color: 'RED', flags: [true], inner: { id: 1, count: null }, inners: { id: 'x' }, choice: { a: 'x' }, ratio: 1 };
  expect(issuesOf(viewOfJson(good))).toEqual([]);
});

describe.each<[string, unknown, string, string]>([
  ['a missing field', {}, 'name', 'expected String!, got nothing'],
  ['null where there must be a value', { name: null }, 'name', 'expected String!, got null'],
  ['a number for text', { name: 1 }, 'name', 'expected String, got number'],
  ['an object for text', { name: { a: SECRET } }, 'name', 'expected String, got object'],
  ['text for a list of booleans', { name: 'n', flags: [true, SECRET] }, 'flags.1', 'expected Boolean, got string'],
  ['null in a list of values', { name: 'n', flags: [null] }, 'flags.0', 'expected Boolean!, got null'],
  ['an unknown field', { name: 'n', nope: SECRET }, 'nope', 'Outer has no such field'],
  ['a __proto__ key', JSON.parse(`{ "name": "n", "__proto__": { "admin": true } }`), '__proto__', 'Outer has no such field'],
  ['a nested field of a list', { name: 'n', inners: [{ id: 'a' }, { id: 'b', count: SECRET }] }, 'inners.1.count', 'expected Int, got string'],
  ['text for an object', { name: 'n', inner: SECRET }, 'inner', 'expected Inner, got string'],
  ['an unknown enum value', { name: 'n', color: SECRET }, 'color', 'expected one of RED, GREEN, got string'],
  ['a fraction for an integer', { name: 'n', inner: { id: 1, count: 1.5 } }, 'inner.count', 'expected Int, got number'],
  ['an integer too large', { name: 'n', inner: { id: 1, count: 2 ** 31 } }, 'inner.count', 'expected Int, got number'],
  ['text for a number', { name: 'n', ratio: SECRET }, 'ratio', 'expected Float, got string'],
  ['a date that is none', { name: 'n', at: SECRET }, 'at', 'expected DateTime (RFC 3339 with a zone), got string'],
  ['two of one-of', { name: 'n', choice: { a: 'x', b: { id: 1 } } }, 'choice', 'expected exactly one field of Choice, and not null'],
  ['none of one-of', { name: 'n', choice: {} }, 'choice', 'expected exactly one field of Choice, and not null'],
  ['null of one-of', { name: 'n', choice: { a: null } }, 'choice', 'expected exactly one field of Choice, and not null'],
])('%s', (_why, value, path, message) => {
  test('is named by path, type and kind, never by value', () => {
    expect(issuesOf(viewOfJson(value))).toEqual([{ path, message }]);
    expect(JSON.stringify(issuesOf(viewOfJson(value)))).not.toContain(SECRET);
  });
});

test.each<[string, string, InputIssue[]]>([
  ['is right', '{ name: "n", at: "2026-01-01", color: GREEN, inners: [{ id: 3 }], choice: { b: { id: "x" } } }', []],
  ['has a string for an enum', '{ name: "n", color: "RED" }', [{ path: 'color', message: 'expected one of RED, GREEN, got string' }]],
  ['has an enum for text', `{ name: ${SECRET.replace('-', '_')} }`, [{ path: 'name', message: 'expected String, got enum value' }]],
  ['has variables, which are checked by themselves', '{ name: $name, flags: [$flag] }', []],
])('a literal that %s', (_what, literal, issues) => {
  expect(issuesOf(viewOfLiteral(parseValue(literal)))).toEqual(issues);
});

test('at most 100 problems, whatever is sent', () => {
  const value = { name: 'n', inners: Array.from({ length: 1_000 }, () => ({ count: 'x' })) };
  expect(issuesOf(viewOfJson(value)).length).toBeLessThanOrEqual(101);
});

test('the name of an unknown field is cut', () => {
  const [issue] = issuesOf(viewOfJson({ name: 'n', ['x'.repeat(5_000)]: 1 }));
  expect(issue?.path.length).toBeLessThan(150);
});
