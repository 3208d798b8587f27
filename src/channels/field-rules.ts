import { parseHttpTarget } from '../domain/egress-url.ts';
import { isTrigger } from '../domain/trigger.ts';
import type { InputIssue } from '../lib/error.ts';
import { isRecord } from '../lib/json.ts';
import { SECRET_MASK } from '../lib/secret.ts';
import { hasUnstorable } from '../lib/text.ts';
import type { Field, FieldValue, IntegerField, SecretField, SeverityMapField, TextField, TextListField, UrlField } from './field.ts';
import { headerIssues } from './header-rules.ts';

/** What is wrong with a field's value, which is neither undefined nor null; paths are relative to the field, '' for the field itself. */
export function valueIssues(field: Field, value: unknown): InputIssue[] {
  switch (field.kind) {
    case 'TEXT':
    case 'SECRET':
      return issue('', textProblem(value, field));
    case 'URL':
      return issue('', textProblem(value, field) ?? urlProblem(value));
    case 'INTEGER':
      return issue('', integerProblem(value, field));
    case 'BOOLEAN':
      return issue('', typeof value === 'boolean' ? null : 'must be true or false');
    case 'CHOICE':
      return issue('', choiceProblem(value, field.choices));
    case 'TEXT_LIST':
      return textListIssues(value, field);
    case 'HEADERS':
      return headerIssues(value, field);
    case 'SEVERITY_MAP':
      return severityMapIssues(value, field);
  }
}

/** A value of a secret field as it may be shown: the mask, and of headers their names. */
export function maskValue(value: FieldValue): FieldValue {
  if (!Array.isArray(value)) return SECRET_MASK;
  return value.filter(isRecord).map(({ name }) => ({ name: String(name), value: SECRET_MASK }));
}

function issue(path: string, message: string | null): InputIssue[] {
  return message === null ? [] : [{ path, message }];
}

type TextRules = Pick<TextField | UrlField | SecretField | TextListField, 'maxLength' | 'pattern' | 'check'>;

function textProblem(value: unknown, { maxLength, pattern, check }: TextRules): string | null {
  if (typeof value !== 'string') return 'must be text';
  if (value === '') return 'must not be empty';
  if (hasUnstorable(value)) return 'must be well-formed text without NUL';
  if (maxLength !== undefined && value.length > maxLength) return `must be at most ${maxLength} characters long`;
  if (pattern !== undefined && !new RegExp(`^(?:${pattern})$`, 'u').test(value)) return `must have the form ${pattern}`;
  return check?.(value) ?? null;
}

/** Plain http passes here: whether it is allowed is a setting, which the egress guard knows. */
function urlProblem(value: unknown): string | null {
  const check = parseHttpTarget(String(value), true);
  return check.ok ? null : check.message;
}

function integerProblem(value: unknown, { min, max, choices }: IntegerField): string | null {
  if (!Number.isSafeInteger(value)) return 'must be a whole number';
  const number = Number(value);
  if (choices !== undefined && !choices.includes(number)) return `must be one of ${choices.join(', ')}`;
  if (min !== undefined && number < min) return `must be at least ${min}`;
  return max !== undefined && number > max ? `must be at most ${max}` : null;
}

function choiceProblem(value: unknown, choices: readonly string[]): string | null {
  return choices.some((choice) => choice === value) ? null : `must be one of ${choices.join(', ')}`;
}

function textListIssues(value: unknown, field: TextListField): InputIssue[] {
  if (!Array.isArray(value)) return [{ path: '', message: 'must be a list' }];
  if (value.length === 0 && field.required === true) return [{ path: '', message: 'must not be empty' }];
  if (value.length > field.maxItems) return [{ path: '', message: `must hold at most ${field.maxItems} items` }];
  return value.flatMap((item: unknown, index) => issue(`${index}`, textProblem(item, field)));
}

function severityMapIssues(value: unknown, { choices }: SeverityMapField): InputIssue[] {
  if (!Array.isArray(value)) return [{ path: '', message: 'must be a list' }];
  const seen = new Set<unknown>();
  return value.flatMap((entry: unknown, index) => {
    if (!isRecord(entry)) return [{ path: `${index}`, message: 'must have a trigger and a severity' }];
    const { trigger, severity } = entry;
    const problem = isTrigger(trigger) ? (seen.has(trigger) ? 'is the trigger of an earlier entry' : null) : 'must be a trigger';
    seen.add(trigger);
    return [...issue(`${index}.trigger`, problem), ...issue(`${index}.severity`, choiceProblem(severity, choices))];
  });
}
