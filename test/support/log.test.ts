import { pino } from 'pino';
import { expect, test } from 'vitest';
import { captureLog } from './log.ts';

test('keeps what pino writes and tells the errors that no test expected', () => {
  const log = captureLog();
  const logger = pino({ level: 'debug' }, log.stream);
  logger.info({ port: 4000 }, 'listening');
  logger.error('disk full');
  logger.fatal('out of memory');
  log.expectErrors(/^disk/);
  expect(log.lines.map(({ level, msg }) => [level, msg])).toEqual([
    [30, 'listening'],
    [50, 'disk full'],
    [60, 'out of memory'],
  ]);
  expect(log.takeUnexpectedErrors().map(({ msg }) => msg)).toEqual(['out of memory']);
  expect(log.takeUnexpectedErrors()).toEqual([]);
  expect(log.text()).toContain('"port":4000');
});

test('an expectation holds until the errors are taken, no longer', () => {
  const log = captureLog();
  const logger = pino({}, log.stream);
  log.expectErrors(/disk/);
  log.takeUnexpectedErrors();
  logger.error('disk full');
  expect(log.takeUnexpectedErrors()).toHaveLength(1);
});
