import { type CharSet, parseCharSet, setHas } from './char-set.ts';

/** The longest pattern that is taken, in code points (spec 3). */
export const PATTERN_CHARS_MAX = 200;

/** A compiled task name pattern. The literal parts let an index find it without trying it. */
export interface TaskNamePattern {
  /** Whether the whole of `name` matches, case-sensitively, in time linear in pattern × name. */
  matches(name: string): boolean;
  /** What every matching name begins with; the name itself where `isLiteral`. */
  literalPrefix: string;
  /** What every matching name ends with; the name itself where `isLiteral`. */
  literalSuffix: string;
  /** No wildcard in it: it matches `literalPrefix` alone. */
  isLiteral: boolean;
  /** Only stars stand between prefix and suffix: a name that begins and ends so, and is long enough for both, matches. */
  isAffix: boolean;
}

/**
 * Compiles Python's fnmatch (fnmatch.fnmatchcase): `*` `?` `[seq]` `[!seq]`, by Unicode code points, `*` crosses everything, an unclosed `[`
 * is a literal. Takes well-formed patterns of any length; what is saved is held to `PATTERN_CHARS_MAX`.
 */
export function compilePattern(pattern: string): TaskNamePattern {
  if (!SPECIAL.test(pattern)) return literalPattern(pattern);
  const [, prefix, suffix] = AFFIX.exec(pattern) ?? [];
  return prefix === undefined || suffix === undefined ? tokenPattern(tokenize(pattern)) : affixPattern(prefix, suffix);
}

/** The two plain forms that most patterns have: no wildcard at all, or one run of stars. */
const SPECIAL = /[*?[]/;
const AFFIX = /^([^*?[]*)\*+([^*?[]*)$/;

function literalPattern(literal: string): TaskNamePattern {
  return { matches: (name) => name === literal, literalPrefix: literal, literalSuffix: literal, isLiteral: true, isAffix: false };
}

function affixPattern(prefix: string, suffix: string): TaskNamePattern {
  const lengthMin = prefix.length + suffix.length;
  const matches = (name: string) => name.length >= lengthMin && name.startsWith(prefix) && name.endsWith(suffix);
  return { matches, literalPrefix: prefix, literalSuffix: suffix, isLiteral: false, isAffix: true };
}

function tokenPattern(tokens: readonly Token[]): TaskNamePattern {
  const first = tokens.findIndex(isWild);
  if (first < 0) return literalPattern(textOf(tokens));
  const last = tokens.findLastIndex(isWild);
  const prefix = textOf(tokens.slice(0, first));
  const suffix = textOf(tokens.slice(last + 1));
  if (first === last && tokens[first] === 'star') return affixPattern(prefix, suffix);
  return { matches: (name) => matchTokens(tokens, name), literalPrefix: prefix, literalSuffix: suffix, isLiteral: false, isAffix: false };
}

/** A code point, any one code point, any run of them, or one of a set. */
type Token = number | 'any' | 'star' | CharSet;

function tokenize(pattern: string): Token[] {
  const chars = Array.from(pattern);
  const tokens: Token[] = [];
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at] ?? '';
    if (char === '*') {
      if (tokens.at(-1) !== 'star') tokens.push('star');
    } else if (char === '?') {
      tokens.push('any');
    } else {
      const close = char === '[' ? closingBracket(chars, at + 1) : -1;
      tokens.push(close < 0 ? codePoint(char) : setToken(chars.slice(at + 1, close)));
      if (close >= 0) at = close;
    }
  }
  return tokens;
}

/** Where the `]` is that ends a set, or -1: one that stands first, or right after `!`, is a member. */
function closingBracket(chars: readonly string[], start: number): number {
  const first = chars[start] === '!' ? start + 1 : start;
  return chars.indexOf(']', first + 1);
}

/** A set of one member is that literal: `[*]` is how fnmatch writes a star. */
function setToken(stuff: readonly string[]): Token {
  const [only] = stuff;
  return stuff.length === 1 && only !== undefined ? codePoint(only) : parseCharSet(stuff);
}

/**
 * Two positions and one way back: only the last star can need to take more, so nothing is tried twice and the worst case is
 * tokens × code points, where backtracking engines are exponential.
 */
function matchTokens(tokens: readonly Token[], name: string): boolean {
  let at = 0;
  let token = 0;
  let afterStar = -1;
  let starAt = 0;
  while (at < name.length) {
    const expected = tokens[token];
    const point = name.codePointAt(at) ?? 0;
    if (expected === 'star') {
      token += 1;
      if (token === tokens.length) return true;
      afterStar = token;
      starAt = at;
    } else if (expected !== undefined && matchOne(expected, point)) {
      token += 1;
      at += unitsOf(point);
    } else if (afterStar >= 0) {
      token = afterStar;
      starAt += unitsOf(name.codePointAt(starAt) ?? 0);
      at = starAt;
    } else {
      return false;
    }
  }
  if (tokens[token] === 'star') token += 1;
  return token === tokens.length;
}

function isWild(token: Token): boolean {
  return typeof token !== 'number';
}

function matchOne(token: Exclude<Token, 'star'>, point: number): boolean {
  if (typeof token === 'number') return token === point;
  return token === 'any' || setHas(token, point);
}

function textOf(tokens: readonly Token[]): string {
  return tokens.map((token) => (typeof token === 'number' ? String.fromCodePoint(token) : '')).join('');
}

function codePoint(char: string): number {
  return char.codePointAt(0) ?? 0;
}

function unitsOf(point: number): number {
  return point > 0xffff ? 2 : 1;
}
