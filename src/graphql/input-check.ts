import {
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLLeafType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredInputField,
  Kind,
  type ValueNode,
} from 'graphql';
import type { InputIssue } from '../lib/error.ts';

/**
 * Checks inputs against their types as graphql-js does, but says path, expected type and JSON kind where graphql-js prints the value. What
 * passes here coerces without an error.
 */
export function checkInput(type: GraphQLInputType, view: InputView, path: string, issues: InputIssue[]): void {
  if (issues.length >= ISSUES_MAX || view.kind === 'variable') return;
  if (isNonNullType(type)) {
    if (view.kind === 'null') issues.push({ path, message: `expected ${String(type)}, got null` });
    else checkInput(type.ofType, view, path, issues);
  } else if (view.kind === 'null') {
    return;
  } else if (isListType(type)) {
    if (view.kind === 'array') for (const [index, item] of view.items().entries()) checkInput(type.ofType, item, join(path, String(index)), issues);
    else checkInput(type.ofType, view, path, issues);
  } else if (isInputObjectType(type)) {
    if (view.kind === 'object') checkObject(type, new Map(view.fields()), path, issues);
    else issues.push({ path, message: `expected ${type.name}, got ${view.kind}` });
  } else if (!isLeafOf(type, view)) {
    issues.push({ path, message: `expected ${expectedLeaf(type)}, got ${view.kind}` });
  }
}

/** A given input: a JSON value, or a literal of a document. `variable` is checked where its own value is. */
export interface InputView {
  kind: 'null' | 'boolean' | 'number' | 'string' | 'enum value' | 'array' | 'object' | 'variable';
  items(): InputView[];
  fields(): [string, InputView][];
  /** What the type makes of it; throws, or gives undefined, where it is none of that type. */
  parse(type: GraphQLLeafType): unknown;
}

/** A variable's value as an input. */
export function viewOfJson(value: unknown): InputView {
  return {
    kind: kindOf(value),
    items: () => (value as unknown[]).map(viewOfJson),
    fields: () => Object.entries(value as Record<string, unknown>).map(([name, field]) => [name, viewOfJson(field)]),
    parse: (type): unknown => type.parseValue(value),
  };
}

/** A literal as an input. */
export function viewOfLiteral(node: ValueNode): InputView {
  return {
    kind: LITERAL_KINDS[node.kind],
    items: () => (node.kind === Kind.LIST ? node.values.map(viewOfLiteral) : []),
    fields: () => (node.kind === Kind.OBJECT ? node.fields.map((field) => [field.name.value, viewOfLiteral(field.value)]) : []),
    parse: (type): unknown => type.parseLiteral(node, undefined),
  };
}

/** A path into the input with one more step; the steps are dotted. */
export function join(path: string, step: string): string {
  const short = step.length > STEP_CHARS_MAX ? `${step.slice(0, STEP_CHARS_MAX)}…` : step;
  return path === '' ? short : `${path}.${short}`;
}

const ISSUES_MAX = 100;
/** A client's own field names may be of any length. */
const STEP_CHARS_MAX = 100;

const LITERAL_KINDS = {
  [Kind.NULL]: 'null',
  [Kind.BOOLEAN]: 'boolean',
  [Kind.INT]: 'number',
  [Kind.FLOAT]: 'number',
  [Kind.STRING]: 'string',
  [Kind.ENUM]: 'enum value',
  [Kind.LIST]: 'array',
  [Kind.OBJECT]: 'object',
  [Kind.VARIABLE]: 'variable',
} as const satisfies Record<ValueNode['kind'], InputView['kind']>;

function kindOf(value: unknown): InputView['kind'] {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  const type = typeof value;
  return type === 'boolean' || type === 'number' || type === 'string' ? type : 'object';
}

function checkObject(type: GraphQLInputObjectType, fields: Map<string, InputView>, path: string, issues: InputIssue[]): void {
  const known = type.getFields();
  for (const name of fields.keys()) if (!Object.hasOwn(known, name)) issues.push({ path: join(path, name), message: `${type.name} has no such field` });
  for (const field of Object.values(known)) {
    const view = fields.get(field.name);
    if (view !== undefined) checkInput(field.type, view, join(path, field.name), issues);
    else if (isRequiredInputField(field)) issues.push({ path: join(path, field.name), message: `expected ${String(field.type)}, got nothing` });
  }
  if (type.isOneOf) checkOneOf(type, fields, path, issues);
}

function checkOneOf(type: GraphQLInputObjectType, fields: Map<string, InputView>, path: string, issues: InputIssue[]): void {
  const [only] = fields.values();
  if (fields.size !== 1 || only?.kind === 'null') issues.push({ path, message: `expected exactly one field of ${type.name}, and not null` });
}

function isLeafOf(type: GraphQLLeafType, view: InputView): boolean {
  try {
    return view.parse(type) !== undefined;
  } catch {
    return false;
  }
}

function expectedLeaf(type: GraphQLLeafType): string {
  if (isEnumType(type))
    return `one of ${type
      .getValues()
      .map((value) => value.name)
      .join(', ')}`;
  return type.name === 'DateTime' ? 'DateTime (RFC 3339 with a zone)' : type.name;
}
