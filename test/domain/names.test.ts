import { describe, expect, test } from 'vitest';
import { checkDashboardUrl, checkEmail, checkName, checkSlug, checkTaskUrlTemplate } from '../../src/domain/names.ts';

describe('checkName', () => {
  test.each([
    ['one character', 'a', 'a'],
    ['100 characters', 'a'.repeat(100), 'a'.repeat(100)],
    ['white space around it', '  Ops team\n', 'Ops team'],
    ['any script', 'Zoë 日本語 🚨', 'Zoë 日本語 🚨'],
  ])('%s', (_, text, value) => {
    expect(checkName(text)).toEqual({ ok: true, value });
  });

  test.each([
    ['nothing', ''],
    ['white space only', ' \t '],
    ['101 characters', 'a'.repeat(101)],
    ['NUL', 'a\0b'],
    ['a line break inside', 'a\nb'],
    ['an escape character', 'a\x1b[31mb'],
    ['a line separator', 'a\u2028b'],
    ['a lone surrogate', 'a\ud800b'],
  ])('refused: %s', (_, text) => {
    expect(checkName(text).ok).toBe(false);
  });
});

describe('checkSlug', () => {
  test.each(['a', '0', 'my-project', 'a1-b2-c3', 'a'.repeat(63)])('%s', (text) => {
    expect(checkSlug(text)).toEqual({ ok: true, value: text });
  });

  test.each([
    ['nothing', ''],
    ['64 characters', 'a'.repeat(64)],
    ['upper case', 'My-project'],
    ['a hyphen in front', '-a'],
    ['a hyphen at the end', 'a-'],
    ['two hyphens together', 'a--b'],
    ['a slash', 'a/b'],
    ['a dot', 'a.b'],
    ['a line break at the end', 'a\n'],
    ['a letter that is not ASCII', 'ä'],
    ['the name of the instance’s audit log', 'instance'],
  ])('refused: %s', (_, text) => {
    expect(checkSlug(text).ok).toBe(false);
  });
});

/** 251 characters. */
const LONG_HOST = `${['a', 'b', 'c', 'd'].map((letter) => letter.repeat(60)).join('.')}.example`;

describe('checkEmail', () => {
  test.each([
    ['plain', 'ada@example.com', 'ada@example.com'],
    ['in lower case', 'Ada.Lovelace@Example.COM', 'ada.lovelace@example.com'],
    ['white space around it', ' ada@example.com ', 'ada@example.com'],
    ['a tag', "o'hara+tocsin@example.com", "o'hara+tocsin@example.com"],
    ['a host of one label', 'admin@localhost', 'admin@localhost'],
    ['254 characters', `aa@${LONG_HOST}`, `aa@${LONG_HOST}`],
    ['a local part of 64 characters', `${'a'.repeat(64)}@example.com`, `${'a'.repeat(64)}@example.com`],
  ])('%s', (_, text, value) => {
    expect(checkEmail(text)).toEqual({ ok: true, value });
  });

  test.each([
    ['nothing', ''],
    ['no host', 'ada@'],
    ['no local part', '@example.com'],
    ['two @', 'ada@b@example.com'],
    ['a local part of 65 characters', `${'a'.repeat(65)}@example.com`],
    ['255 characters', `aaa@${LONG_HOST}`],
    ['a line break', 'ada@example.com\nbcc: eve@example.com'],
    ['a comma', 'ada@example.com,eve@example.com'],
    ['a display name', 'Ada <ada@example.com>'],
    ['a quoted local part', '"ada lovelace"@example.com'],
    ['an address literal', 'ada@[127.0.0.1]'],
    ['a dot in front', '.ada@example.com'],
    ['the Kelvin sign, which lower case would make a k', 'ada@\u212aelvin.example'],
  ])('refused: %s', (_, text) => {
    expect(checkEmail(text).ok).toBe(false);
  });
});

const BAD_URLS: readonly [string, string][] = [
  ['nothing', ''],
  ['no URL', 'dashboard'],
  ['another scheme', 'ftp://example.com'],
  ['javascript', 'javascript:alert(1)//x'],
  ['no host', 'https://'],
  ['one slash', 'https:/example.com'],
  ['a user name', 'https://ada@example.com'],
  ['an empty user name', 'https://@example.com'],
  ['a password', 'https://ada:secret@example.com'],
  ['white space in front', ' https://example.com'],
  ['white space inside', 'https://example.com/a b'],
  ['a line break', 'https://example.com/\n'],
  ['a backslash', 'https://example.com\\@evil.example'],
  ['a quote, which could end an attribute', 'https://example.com/"onclick="'],
  ['an angle bracket', 'https://example.com/<b>'],
  ['2,001 bytes', `https://example.com/${'a'.repeat(1981)}`],
];

describe('checkDashboardUrl', () => {
  test.each(['https://example.com', 'http://10.0.0.1:8080/', 'https://example.com/tocsin', `https://example.com/${'a'.repeat(1980)}`])('%s', (text) => {
    expect(checkDashboardUrl(text)).toEqual({ ok: true, value: text });
  });

  test.each([
    ...BAD_URLS,
    ['a query', 'https://example.com/?a=b'],
    ['a fragment', 'https://example.com/#a'],
    ['a placeholder', 'https://example.com/{taskId}'],
  ])('refused: %s', (_, text) => {
    expect(checkDashboardUrl(text).ok).toBe(false);
  });
});

describe('checkTaskUrlTemplate', () => {
  test.each([
    'https://flower.example.com/task/{taskId}',
    'http://localhost:3000/queues/{queue}/{taskName}?agent={agent}&id={taskId}#{taskId}',
    'https://example.com/all-tasks',
  ])('%s', (text) => {
    expect(checkTaskUrlTemplate(text)).toEqual({ ok: true, value: text });
  });

  test.each([
    ...BAD_URLS,
    ['an unknown placeholder', 'https://example.com/{exception}'],
    ['an empty placeholder', 'https://example.com/{}'],
    ['a brace that is not closed', 'https://example.com/{taskId'],
    ['a brace that was not opened', 'https://example.com/taskId}'],
    ['nested braces', 'https://example.com/{{taskId}}'],
    ['a placeholder as host', 'https://{taskName}/x'],
    ['a placeholder in the host', 'https://example.com.{taskName}/x'],
    ['a placeholder as port', 'https://example.com:{taskId}/x'],
    ['a placeholder right after the host', 'https://example.com{taskId}'],
    ['a placeholder as scheme', '{taskId}://example.com'],
    ['a placeholder as user name', 'https://{taskName}@example.com/'],
  ])('refused: %s', (_, text) => {
    expect(checkTaskUrlTemplate(text).ok).toBe(false);
  });
});

test('no message repeats the value', () => {
  const canary = 'canary\u0000{x}';
  for (const check of [checkName, checkSlug, checkEmail, checkDashboardUrl, checkTaskUrlTemplate]) {
    const checked = check(canary);
    expect(checked.ok ? '' : checked.message).not.toContain('canary');
    expect(checked.ok).toBe(false);
  }
});
