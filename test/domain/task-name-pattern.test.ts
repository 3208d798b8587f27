import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compilePattern } from '../../src/domain/task-name-pattern.ts';
import vectors from '../vectors/task-name-patterns.json' with { type: 'json' };

function matches(pattern: string, name: string): boolean {
  return compilePattern(pattern).matches(name);
}

test('all vectors computed with CPython agree', () => {
  const rows = vectors as [string, string, boolean][];
  expect(rows).toHaveLength(1500);
  expect(rows.filter(([pattern, name, expected]) => matches(pattern, name) !== expected)).toEqual([]);
});

// Computed with CPython 3.11 fnmatch.fnmatchcase; 1.2 million random ones agreed when this was written.
test.each([
  ['billing.*', 'billing.eu.run', true, 'a star crosses dots'],
  ['*', '', true, 'a star takes nothing'],
  ['Billing.*', 'billing.run', false, 'case counts'],
  ['a?c', 'a😀c', true, 'a question mark takes a code point, not half of one'],
  ['a??c', 'a😀c', false, 'nor does a code point count twice'],
  ['*😀', '😀😀', true, 'a star moves by code points'],
  ['[😀-😂]', '😁', true, 'ranges are of code points'],
  ['[!😀]', '😂', true, 'a negated set takes a whole code point'],
  ['[!😀]', '😀', false, 'and refuses a whole one'],
  ['[*]', '*', true, 'a set makes a wildcard literal'],
  ['[*]', 'a', false, 'and only literal'],
  ['a[', 'a[', true, 'an unclosed bracket is a literal'],
  ['a[!', 'a[!', true, 'so is one with a negation'],
  ['[]-a]', '_', true, 'a bracket that stands first is a member, and may begin a range'],
  ['[!]a]', ']', false, 'after the negation too'],
  ['[a-c-e]', 'd', false, 'what ends a range begins none'],
  ['[a-c-e]', '-', true, 'so the hyphen is a member'],
  ['[--/]', '.', true, 'a hyphen may begin a range'],
  ['[z-a]', 'z', false, 'a backward range holds nothing, its ends neither'],
  ['[!z-a]', 'q', true, 'so its negation holds all'],
  ['[z-ab]', 'b', true, 'the rest of the set stays'],
  ['[c-a!x]', 'q', true, 'a negation that comes first by that negates'],
  ['[c-a!x]', 'x', false, 'and excludes'],
  ['[b-*!-c**?*]*', '.*b&', true, 'and makes a hyphen right after it a member'],
  ['[b-*!-c**?*]*', '-*b&', false, 'which it then excludes'],
  ['[a&&b]', '&', true, 'set operators of regular expressions are members'],
  ['[a||b~~c]', '~', true, 'all of them'],
  ['a.c', 'abc', false, 'a dot is a dot'],
  ['a*\n', 'a\n\n', true, 'lines mean nothing'],
])('%j on %j is %j: %s', (pattern, name, expected) => {
  expect(matches(pattern, name)).toBe(expected);
});

test('no pattern hangs: twenty stars that never meet their end take under a millisecond', () => {
  const { matches: evil } = compilePattern(`${'*a'.repeat(20)}b`);
  const name = 'a'.repeat(500);
  for (let warm = 0; warm < 20; warm += 1) evil(name);
  const fastestMs = Math.min(
    ...Array.from({ length: 20 }, () => {
      const startMs = performance.now();
      expect(evil(name)).toBe(false);
      return performance.now() - startMs;
    }),
  );
  expect(fastestMs).toBeLessThan(1);
});

describe('the literal parts', () => {
  test.each([
    ['billing.run', { literalPrefix: 'billing.run', literalSuffix: 'billing.run', isLiteral: true, isAffix: false }],
    ['', { literalPrefix: '', literalSuffix: '', isLiteral: true, isAffix: false }],
    ['a[.]b[', { literalPrefix: 'a.b[', literalSuffix: 'a.b[', isLiteral: true, isAffix: false }],
    ['billing.*', { literalPrefix: 'billing.', literalSuffix: '', isLiteral: false, isAffix: true }],
    ['*.deliver', { literalPrefix: '', literalSuffix: '.deliver', isLiteral: false, isAffix: true }],
    ['a**b', { literalPrefix: 'a', literalSuffix: 'b', isLiteral: false, isAffix: true }],
    ['[*]a*[.]b', { literalPrefix: '*a', literalSuffix: '.b', isLiteral: false, isAffix: true }],
    ['a*b*c', { literalPrefix: 'a', literalSuffix: 'c', isLiteral: false, isAffix: false }],
    ['a?c', { literalPrefix: 'a', literalSuffix: 'c', isLiteral: false, isAffix: false }],
    ['*', { literalPrefix: '', literalSuffix: '', isLiteral: false, isAffix: true }],
  ])('of %j', (pattern, expected) => {
    expect(compilePattern(pattern)).toMatchObject(expected);
  });

  test('prefix and suffix may not share units of the name', () => {
    expect(matches('aba*aba', 'ababa')).toBe(false);
    expect(matches('aba*aba', 'abaaba')).toBe(true);
  });

  const text = fc.string({ unit: fc.constantFrom('a', 'b', '-', '*', '?', '[', ']', '!', 'é', '😀'), maxLength: 10 });

  test('every name that matches begins and ends so', () => {
    fc.assert(
      fc.property(text, text, (pattern, name) => {
        const compiled = compilePattern(pattern);
        const isBetween = name.startsWith(compiled.literalPrefix) && name.endsWith(compiled.literalSuffix);
        return !compiled.matches(name) || isBetween;
      }),
    );
  });

  test('a pattern of plain text matches itself alone', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text, (plain, other) => {
        const escaped = plain.replaceAll(/[*?[]/g, '[$&]');
        return matches(escaped, plain) && matches(escaped, other) === (plain === other);
      }),
    );
  });
});
