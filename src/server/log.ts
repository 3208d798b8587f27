import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

/** Names under which secrets and given values might be logged by mistake. */
const SECRET_NAMES = ['authorization', 'token', 'secret', 'secrets', 'password', 'config', 'variables', 'body', 'headers'];

/** JSON lines. Errors are logged as their kind and where they came from: their messages, and those of drivers, may repeat what was given. */
export function createLog(level: string, destination?: DestinationStream): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRET_NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    serializers: { err: describeError },
  };
  return destination === undefined ? pino(options, pino.destination({ dest: 2, sync: true })) : pino(options, destination);
}

interface ErrorDescription {
  type: string;
  message?: string;
  code?: string;
  frames: string[];
  cause?: ErrorDescription;
}

const CAUSES_MAX = 4;
const MESSAGE_CHARS_MAX = 500;

/** An error without what its message may hold: that of a driver or of Prisma quotes statements and values. */
export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { type: typeof error, frames: [] };
  const { code, cause, originalError } = error as { code?: unknown; cause?: unknown; originalError?: unknown };
  const inner = cause ?? originalError;
  return {
    type: error.name,
    ...(isQuoting(error) ? {} : { message: error.message.slice(0, MESSAGE_CHARS_MAX) }),
    ...(typeof code === 'string' ? { code } : {}),
    frames: framesOf(error),
    ...(inner instanceof Error && depth < CAUSES_MAX ? { cause: describeError(inner, depth + 1) } : {}),
  };
}

/** Whether the error comes from something that puts values into its messages: the database, Prisma, graphql-js, JSON.parse. */
function isQuoting(error: Error): boolean {
  return (
    'severity' in error ||
    error.name.startsWith('Prisma') ||
    error.name === 'DriverAdapterError' ||
    error.name === 'GraphQLError' ||
    error instanceof SyntaxError
  );
}

/** The stack without its first lines, which repeat the message. */
function framesOf(error: Error): string[] {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim())
    .slice(0, 12);
}
