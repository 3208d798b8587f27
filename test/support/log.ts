import { afterEach, expect } from 'vitest';

/** A line that pino wrote: `level` 30 is info, 40 warn, 50 error, 60 fatal. */
export interface LogLine extends Record<string, unknown> {
  level: number;
  msg?: string;
}

export interface LogCapture {
  /** Pass it to pino as its destination: the second argument. */
  readonly stream: { write(text: string): void };
  readonly lines: LogLine[];
  /** All of it as it was written: for tests that look for a secret in it. */
  text(): string;
  /** Says that error lines with such a message are part of the test that is running. */
  expectErrors(message: RegExp): void;
  /** The lines of level error and above that no test expected, and forgets them. */
  takeUnexpectedErrors(): LogLine[];
}

const ERROR = 50;

/** Keeps what a pino logger writes instead of printing it. */
export function captureLog(): LogCapture {
  const lines: LogLine[] = [];
  const expected: RegExp[] = [];
  let errors: LogLine[] = [];
  let written = '';

  function write(text: string): void {
    written += text;
    for (const row of text.split('\n').filter((part) => part !== '')) {
      const line = JSON.parse(row) as LogLine;
      lines.push(line);
      if (line.level >= ERROR) errors.push(line);
    }
  }

  function takeUnexpectedErrors(): LogLine[] {
    const unexpected = errors.filter((line) => !expected.some((message) => message.test(line.msg ?? '')));
    errors = [];
    expected.length = 0;
    return unexpected;
  }

  return { stream: { write }, lines, text: () => written, expectErrors: (message) => expected.push(message), takeUnexpectedErrors };
}

/** A capture that fails the test in which an error is logged that it did not expect. Call it outside of tests: in a file or a describe block. */
export function captureLogStrictly(): LogCapture {
  const capture = captureLog();
  afterEach(() => {
    expect(capture.takeUnexpectedErrors(), 'errors that no test expected were logged').toEqual([]);
  });
  return capture;
}
