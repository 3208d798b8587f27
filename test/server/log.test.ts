import { describe, expect, test } from 'vitest';
import { createLog, describeError } from '../../src/server/log.ts';
import { captureLog } from '../support/log.ts';

const SECRET = 'canary-4711';

test('one line of JSON each, with the time in ISO 8601', () => {
  const capture = captureLog();
  createLog('info', capture.stream).info({ port: 4000 }, 'listening');
  expect(capture.lines).toEqual([{ level: 30, time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/), port: 4000, msg: 'listening' }]);
});

test('what is below the level is not written', () => {
  const capture = captureLog();
  createLog('warn', capture.stream).info('hello');
  createLog('silent', capture.stream).fatal('hello');
  expect(capture.lines).toEqual([]);
});

test.each([
  ['a token', { token: SECRET }],
  ['an authorization header', { req: { headers: { authorization: SECRET } } }],
  ['variables', { variables: { input: SECRET } }],
  ['a config', { channel: { config: { url: SECRET } } }],
])('%s that is logged by mistake is redacted', (_what, value) => {
  const capture = captureLog();
  createLog('info', capture.stream).info(value, 'oops');
  expect(capture.text()).not.toContain(SECRET);
  expect(capture.text()).toContain('[redacted]');
});

describe('errors', () => {
  class DatabaseError extends Error {
    override name = 'error';
    severity = 'ERROR';
    code = '22P02';
  }
  class PrismaClientKnownRequestError extends Error {
    override name = 'PrismaClientKnownRequestError';
    code = 'P2002';
  }

  test.each([
    ['a database error', new DatabaseError(`invalid input syntax for type uuid: "${SECRET}"`)],
    ['an error of Prisma', new PrismaClientKnownRequestError(`Invalid invocation: { email: "${SECRET}" }`)],
    ['a syntax error of JSON', new SyntaxError(`Unexpected token in "${SECRET}"`)],
    ['a cause', new Error('saving failed', { cause: new DatabaseError(SECRET) })],
  ])('%s is logged by kind, code and place, without its message', (_what, error) => {
    const capture = captureLog();
    createLog('info', capture.stream).error({ err: error }, 'internal error');
    expect(capture.text()).not.toContain(SECRET);
    expect(capture.lines[0]?.['err']).toMatchObject({ type: error.name, frames: expect.arrayContaining([expect.stringContaining('log.test.ts')]) });
  });

  test('an error of our own says what it is, and why', () => {
    expect(describeError(new Error('sweep failed', { cause: new Error('no queue') }))).toMatchObject({
      message: 'sweep failed',
      cause: { message: 'no queue' },
    });
  });
});
