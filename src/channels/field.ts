import type { Trigger } from '../domain/trigger.ts';

/** The kinds of field that a channel's config is made of: ChannelFieldKind of the API. */
export const FIELD_KINDS = ['TEXT', 'URL', 'SECRET', 'INTEGER', 'BOOLEAN', 'CHOICE', 'TEXT_LIST', 'HEADERS', 'SEVERITY_MAP'] as const;
export type FieldKind = (typeof FIELD_KINDS)[number];

interface Described {
  label: string;
  /** A sentence for the form. */
  hint?: string;
  /** A config without it is refused. */
  required?: true;
}

interface TextRules extends Described {
  /** UTF-16 units. */
  maxLength?: number;
  /** A regular expression for the whole text. */
  pattern?: string;
  /** What no pattern can say: why the text is refused, without repeating it, or null. */
  check?: (text: string) => string | null;
}

export interface TextField extends TextRules {
  kind: 'TEXT';
  secret?: true;
  default?: string;
  /** The field whose value stands in where this one is not set. */
  defaultFrom?: string;
  /** Of a host name that is connected to: the field with the port. */
  portField?: string;
}

/** An absolute http or https URL without userinfo. Whether it may be reached is the egress guard's to say. */
export interface UrlField extends TextRules {
  kind: 'URL';
  secret?: true;
  /** Of a secret URL: other texts that give it away, such as the token in its path. */
  disguises?: (url: string) => string[];
}

/** A text that is always secret. */
export interface SecretField extends TextRules {
  kind: 'SECRET';
  /** How long the value before the last change is kept beside the new one. */
  keepsPreviousMs?: number;
  /** Other texts that give the secret away. */
  disguises?: (secret: string) => string[];
}

export interface IntegerField extends Described {
  kind: 'INTEGER';
  min?: number;
  max?: number;
  choices?: readonly number[];
  default?: number;
}

export interface BooleanField extends Described {
  kind: 'BOOLEAN';
  default?: boolean;
}

export interface ChoiceField extends Described {
  kind: 'CHOICE';
  choices: readonly string[];
  /** The API's enum of the choices. */
  enumName: string;
  default?: string;
}

export interface TextListField extends TextRules {
  kind: 'TEXT_LIST';
  maxItems: number;
}

/** HTTP headers: names are public, values secret. */
export interface HeadersField extends Described {
  kind: 'HEADERS';
  maxItems: number;
  /** Of a value, in UTF-8. */
  valueBytesMax: number;
}

/** A severity for each of some triggers. */
export interface SeverityMapField extends Described {
  kind: 'SEVERITY_MAP';
  choices: readonly string[];
  enumName: string;
}

export type Field = TextField | UrlField | SecretField | IntegerField | BooleanField | ChoiceField | TextListField | HeadersField | SeverityMapField;

/** The fields of a kind of channel by name, in the order of its form. */
export type Fields = Readonly<Record<string, Field>>;

export interface Header {
  name: string;
  value: string;
}

export interface TriggerSeverity {
  trigger: Trigger;
  severity: string;
}

interface ValueByKind {
  TEXT: string;
  URL: string;
  SECRET: string;
  INTEGER: number;
  BOOLEAN: boolean;
  CHOICE: string;
  TEXT_LIST: readonly string[];
  HEADERS: readonly Header[];
  SEVERITY_MAP: readonly TriggerSeverity[];
}

export type FieldValue = ValueByKind[FieldKind];

type ListKind = 'TEXT_LIST' | 'HEADERS' | 'SEVERITY_MAP';
type AlwaysSet = { required: true } | { default: FieldValue } | { defaultFrom: string } | { kind: ListKind };

/** A whole, valid config: null where an optional field is not set and has no default, [] where a list is not. */
export type ConfigOf<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends AlwaysSet ? ValueByKind[F[Name]['kind']] : ValueByKind[F[Name]['kind']] | null;
};

/** Whether the values of a field are sealed. */
export function isSecret(field: Field): boolean {
  return field.kind === 'SECRET' || field.kind === 'HEADERS' || 'secret' in field;
}

/** Whether a field holds a list: not set is []. */
export function isList(field: Field): boolean {
  return field.kind === 'TEXT_LIST' || field.kind === 'HEADERS' || field.kind === 'SEVERITY_MAP';
}

/** Whether a valid config always has a value for the field: it is never null when read. */
export function isAlwaysSet(field: Field): boolean {
  return field.required === true || isList(field) || defaultOf(field) !== null || 'defaultFrom' in field;
}

/** The field's own default; null where it has none. */
export function defaultOf(field: Field): string | number | boolean | null {
  return 'default' in field ? field.default : null;
}
