import { GraphQLError, Kind, type ObjectValueNode, type ValueNode } from 'graphql';
import { parseTimestamp } from '../domain/timestamp.ts';
import { builder } from './builder.ts';

builder.scalarType('DateTime', {
  description: 'RFC 3339 with a zone; given out in UTC with milliseconds: 2026-11-24T10:00:00.000Z.',
  serialize: (value) => {
    if (!(value instanceof Date)) throw new TypeError('DateTime is resolved from a Date');
    return value.toISOString();
  },
  parseValue: (value) => {
    const epochMs = typeof value === 'string' ? parseTimestamp(value) : null;
    if (epochMs === null) throw new GraphQLError('expected an RFC 3339 date and time with a zone');
    return new Date(epochMs);
  },
});

builder.scalarType('JSON', {
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: (node, variables) => jsonOf(node, variables ?? {}),
});

/** Literals nested deeper than this are no JSON of ours: data ends at depth 32. */
const LITERAL_DEPTH_MAX = 64;

function jsonOf(node: ValueNode, variables: Record<string, unknown>, depth = 0): unknown {
  if (depth > LITERAL_DEPTH_MAX) throw new GraphQLError('expected JSON that is not nested that deep');
  switch (node.kind) {
    case Kind.NULL:
      return null;
    case Kind.INT:
    case Kind.FLOAT:
      return Number(node.value);
    case Kind.LIST:
      return node.values.map((item) => jsonOf(item, variables, depth + 1));
    case Kind.OBJECT:
      return jsonObject(node, variables, depth);
    case Kind.VARIABLE:
      return variables[node.name.value] ?? null;
    default:
      return node.value;
  }
}

/** Defines its members, so that one named `__proto__` is data like any other. */
function jsonObject(node: ObjectValueNode, variables: Record<string, unknown>, depth: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const field of node.fields) {
    const value = jsonOf(field.value, variables, depth + 1);
    Object.defineProperty(object, field.name.value, { value, enumerable: true, configurable: true, writable: true });
  }
  return object;
}
