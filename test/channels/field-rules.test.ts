import { describe, expect, test } from 'vitest';
import type { Field } from '../../src/channels/field.ts';
import { maskValue, valueIssues } from '../../src/channels/field-rules.ts';
import { SECRET_MASK } from '../../src/lib/secret.ts';

const text: Field = { kind: 'TEXT', label: 'Text', maxLength: 5, pattern: '\\d+:[a-z]+|x', check: (value) => (value === '1:no' ? 'must not be no' : null) };
const list: Field = { kind: 'TEXT_LIST', label: 'List', maxItems: 2, maxLength: 3 };
const severities: Field = { kind: 'SEVERITY_MAP', label: 'Severities', choices: ['critical', 'info'], enumName: 'PagerDutySeverity' };
const choice: Field = { kind: 'CHOICE', label: 'Choice', choices: ['critical', 'info'], enumName: 'PagerDutySeverity' };
const port: Field = { kind: 'INTEGER', label: 'Port', choices: [25, 465] };
const bounded: Field = { kind: 'INTEGER', label: 'Count', min: 1, max: 9 };

describe('valueIssues', () => {
  test.each<[string, Field, unknown]>([
    ['a text of its pattern', text, '12:ab'],
    ['the other branch of the pattern', text, 'x'],
    ['an https URL', { kind: 'URL', label: 'URL' }, 'https://example.com/a?b=c#d'],
    ['an http URL: whether it is allowed is a setting', { kind: 'URL', label: 'URL' }, 'http://example.com/'],
    ['any secret', { kind: 'SECRET', label: 'Secret' }, ' ü\n'],
    ['one of the numbers', port, 465],
    ['the least', bounded, 1],
    ['the most', bounded, 9],
    ['false', { kind: 'BOOLEAN', label: 'Flag' }, false],
    ['one of the choices', choice, 'info'],
    ['an empty list', list, []],
    ['a full list', list, ['abc', 'abc']],
    ['no severities', severities, []],
    [
      'severities',
      severities,
      [
        { trigger: 'task.failed', severity: 'critical' },
        { trigger: 'agent.offline', severity: 'critical' },
      ],
    ],
  ])('%s is taken', (_, field, value) => {
    expect(valueIssues(field, value)).toEqual([]);
  });

  test.each<[string, Field, unknown, string[]]>([
    ['a number for a text', text, 5, ['']],
    ['an empty text', text, '', ['']],
    ['a text with NUL', text, 'x\0', ['']],
    ['a lone surrogate', { kind: 'SECRET', label: 'Secret' }, '\udc00', ['']],
    ['a long text', text, '1:abcd', ['']],
    ['a pattern in the middle', text, 'a1:ab', ['']],
    ['a pattern before a line feed', text, '1:a\n', ['']],
    ['half of a branch', text, '1:ax1', ['']],
    ['what only the check sees', text, '1:no', ['']],
    ['no URL', { kind: 'URL', label: 'URL' }, 'example.com', ['']],
    ['another scheme', { kind: 'URL', label: 'URL' }, 'ftp://example.com/', ['']],
    ['a user name', { kind: 'URL', label: 'URL' }, 'https://user@example.com/', ['']],
    ['a password', { kind: 'URL', label: 'URL' }, 'https://:pass@example.com/', ['']],
    ['a backslash', { kind: 'URL', label: 'URL' }, 'https://example.com\\a', ['']],
    ['a space', { kind: 'URL', label: 'URL' }, ' https://example.com/', ['']],
    ['another number', port, 587, ['']],
    ['a fraction', bounded, 1.5, ['']],
    ['a number as text', bounded, '5', ['']],
    ['too little', bounded, 0, ['']],
    ['too much', bounded, 10, ['']],
    ['a text for a boolean', { kind: 'BOOLEAN', label: 'Flag' }, 'true', ['']],
    ['another choice', choice, 'CRITICAL', ['']],
    ['a name of Object', choice, 'constructor', ['']],
    ['a text for a list', list, 'abc', ['']],
    ['an empty list where one is required', { ...list, required: true }, [], ['']],
    ['a list too long', list, ['a', 'b', 'c'], ['']],
    ['wrong items', list, ['abc', 'abcd'], ['1']],
    ['no list of severities', severities, {}, ['']],
    ['a text in it', severities, ['task.failed'], ['0']],
    ['another trigger and severity', severities, [{ trigger: 'task.lost', severity: 'fatal' }], ['0.trigger', '0.severity']],
    [
      'a trigger twice',
      severities,
      [
        { trigger: 'task.failed', severity: 'info' },
        { trigger: 'task.failed', severity: 'info' },
      ],
      ['1.trigger'],
    ],
  ])('%s is refused', (_, field, value, paths) => {
    expect(valueIssues(field, value).map(({ path }) => path)).toEqual(paths);
  });
});

test('a masked value shows names of headers and nothing else', () => {
  expect(maskValue('secret')).toBe(SECRET_MASK);
  expect(maskValue([{ name: 'X-A', value: 'secret' }])).toEqual([{ name: 'X-A', value: SECRET_MASK }]);
});
