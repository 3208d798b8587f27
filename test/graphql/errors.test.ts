import { GraphQLError, parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { operationError, toClientError } from '../../src/graphql/errors.ts';
import { AppError, badInput, notFound } from '../../src/lib/error.ts';

const SECRET = 'canary-4711';

function convert(error: unknown): { json: ReturnType<GraphQLError['toJSON']>; logged: [string, unknown][] } {
  const logged: [string, unknown][] = [];
  const json = toClientError(error, (errorId, cause) => logged.push([errorId, cause])).toJSON();
  return { json, logged };
}

/** As the executor wraps what a resolver throws. */
function thrown(error: Error): GraphQLError {
  return new GraphQLError(error.message, { originalError: error, path: ['viewer', 'inbox'] });
}

describe('a refusal', () => {
  test.each<[AppError, Record<string, unknown>]>([
    [new AppError('FORBIDDEN', 'not allowed'), { code: 'FORBIDDEN' }],
    [notFound('channelIds.2', 'channel'), { code: 'NOT_FOUND', issues: [{ path: 'channelIds.2', message: 'channel not found' }] }],
    [badInput([{ path: 'a', message: 'wrong' }]), { code: 'BAD_USER_INPUT', issues: [{ path: 'a', message: 'wrong' }] }],
    [new AppError('RATE_LIMITED', 'slow down', { retryAfterSeconds: 7 }), { code: 'RATE_LIMITED', retryAfterSeconds: 7 }],
    [new AppError('UNAUTHENTICATED', 'who'), { code: 'UNAUTHENTICATED', http: { status: 401 } }],
  ])('%s reaches the client as it is, at its path', (error, extensions) => {
    const { json, logged } = convert(thrown(error));
    expect(json).toMatchObject({ message: error.message, path: ['viewer', 'inbox'] });
    expect(json.extensions).toEqual(extensions);
    expect(logged).toEqual([]);
  });
});

describe('a bug', () => {
  test.each([
    ['thrown in a resolver', thrown(new Error(`duplicate key ${SECRET}`))],
    ['thrown outside of one', new TypeError(SECRET)],
    ['no error at all', SECRET],
    ['of the schema', new GraphQLError('Cannot return null for non-nullable field X.y.', { path: ['x', 'y'] })],
  ])('%s is masked, and logged with the id that the client sees', (_what, error) => {
    const { json, logged } = convert(error);
    expect(json.extensions).toMatchObject({ code: 'INTERNAL', errorId: logged[0]?.[0] });
    expect(json.message).toBe(`internal error ${String(logged[0]?.[0])}`);
    expect(JSON.stringify(json)).not.toContain(SECRET);
    expect(logged).toHaveLength(1);
  });
});

describe('an error of graphql-js or Yoga about the request', () => {
  test('a syntax error says where, not what', () => {
    const syntaxError = (() => {
      try {
        return parse(`{ viewer(id: "${SECRET}" "${SECRET}") }`);
      } catch (error) {
        return error;
      }
    })();
    const { json } = convert(syntaxError);
    expect(json.message).toBe('syntax error at line 1, column 28');
    expect(json.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: '', message: json.message }] });
    expect(JSON.stringify(json)).not.toContain(SECRET);
  });

  test.each([
    ['Unknown operation named', new GraphQLError(`Unknown operation named "${SECRET}".`)],
    [
      'Unexpected parameter',
      new GraphQLError(`Unexpected parameter "${SECRET}" in the request body.`, { extensions: { code: 'BAD_REQUEST', http: { status: 400 } } }),
    ],
    ['Variable', new GraphQLError(`Variable "$x" got invalid value "${SECRET}"; Int cannot represent`)],
    ['an argument, while executing', new GraphQLError(`Argument "first" has invalid value "${SECRET}".`, { path: ['viewer'] })],
    ['JSON that is none', new GraphQLError('POST body sent invalid JSON.', { extensions: { code: 'BAD_REQUEST', originalError: { message: SECRET } } })],
  ])('%s is rewritten without what was given', (_what, error) => {
    const { json, logged } = convert(error);
    expect(json.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(JSON.stringify(json)).not.toContain(SECRET);
    expect(logged).toEqual([]);
  });

  test('a long one is cut', () => {
    expect(convert(new GraphQLError(`Cannot query field "${'x'.repeat(10_000)}" on type "Query".`)).json.message.length).toBe(300);
  });
});

test('what was converted stays as it is: executors hand errors through several hooks', () => {
  const once = toClientError(new Error('x'), () => {});
  expect(toClientError(once, () => expect.unreachable())).toBe(once);
  const own = operationError([{ path: 'a', message: 'b' }]);
  expect(toClientError(own, () => expect.unreachable())).toBe(own);
});
