import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, ERROR_STATUS } from '../lib/error.ts';
import { uuidv7 } from '../lib/id.ts';
import type { Log } from './log.ts';

/** Answers with JSON. */
export function sendJson(res: ServerResponse, status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): void {
  const body = Buffer.from(JSON.stringify(value), 'utf8');
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length, ...headers });
  res.end(body);
}

/** A refusal whose HTTP status says more than its code: 405, 413, 415. */
export class HttpError extends AppError {
  readonly status: number;

  constructor(status: number, message: string) {
    super('BAD_USER_INPUT', message, { issues: [{ path: '', message }] });
    this.status = status;
  }
}

/** Answers with an error in the form that GraphQL gives it, `{"errors": [{message, extensions: {code, …}}]}`; a bug is masked, and logged with an id. */
export function sendError(res: ServerResponse, error: unknown, log: Log, details: Readonly<Record<string, unknown>> = {}): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  if (!(error instanceof AppError)) {
    const errorId = uuidv7();
    log.error({ errorId, err: error }, 'internal error');
    sendJson(res, ERROR_STATUS.INTERNAL, errorBody(`internal error ${errorId}`, { code: 'INTERNAL', errorId }));
    return;
  }
  const { code, issues, retryAfterSeconds, message } = error;
  const extensions = { code, ...(issues === undefined ? {} : { issues }), ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }), ...details };
  sendJson(res, error instanceof HttpError ? error.status : ERROR_STATUS[code], errorBody(message, extensions), headersOf(error));
}

function errorBody(message: string, extensions: object): object {
  return { errors: [{ message, extensions }] };
}

function headersOf({ code, retryAfterSeconds }: AppError): Record<string, string> {
  if (code === 'UNAUTHENTICATED') return { 'www-authenticate': 'Bearer' };
  return retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
}

/** What a request's headers say of its body: throws 413 where it is longer than `bytesMax`, and 415 where it is encoded. */
export function checkBody({ headers }: IncomingMessage, bytesMax: number): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') throw new HttpError(415, 'content-encoding is not supported');
  if (Number(headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
}

/** A request's body, at most `bytesMax`. Throws 413, before reading where its length says so, and 415 for an encoded one. */
export function readBody(req: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    checkBody(req, bytesMax);
    const chunks: Buffer[] = [];
    let size = 0;
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= bytesMax) chunks.push(chunk);
      else reject(tooLarge(bytesMax));
      // What comes after that is read for a while, since a client that is still writing would miss the answer.
      if (size > bytesMax * DRAIN_FACTOR) req.destroy();
    });
    req.on('end', () => {
      resolve(Buffer.concat(chunks, size));
    });
    req.on('error', reject);
    req.on('close', () => {
      reject(new HttpError(400, 'the request was cut off'));
    });
  });
}

const DRAIN_FACTOR = 4;

function tooLarge(bytesMax: number): HttpError {
  return new HttpError(413, `the body must have at most ${String(bytesMax)} bytes`);
}
