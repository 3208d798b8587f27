import { GraphQLError, type GraphQLErrorOptions } from 'graphql';
import { AppError, ERROR_STATUS, type ErrorCode, type InputIssue } from '../lib/error.ts';
import { uuidv7 } from '../lib/id.ts';

/** Logs what clients only see the id of. */
export type LogInternal = (errorId: string, error: unknown) => void;

/**
 * What a client sees of an error (spec 10): refusals as they are, graphql-js' and Yoga's own without a given value, anything else masked as INTERNAL
 * with an id that is logged. An error that was made here comes back as it is.
 */
export function toClientError(error: unknown, log: LogInternal): GraphQLError {
  if (error instanceof GraphQLError && isOurs.has(error)) return error;
  const cause = rootOf(error);
  const clientError = cause instanceof AppError ? refusal(cause, error) : cause instanceof GraphQLError ? requestError(cause, log) : internal(error, log);
  isOurs.add(clientError);
  return clientError;
}

/** BAD_USER_INPUT with its issues, for what is wrong with an operation before it runs. */
export function operationError(issues: InputIssue[]): GraphQLError {
  const [first] = issues;
  const message = first === undefined ? 'the request is not valid' : first.path === '' ? first.message : `${first.path}: ${first.message}`;
  const error = new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT', issues, http: REQUEST_ERROR_HTTP } });
  isOurs.add(error);
  return error;
}

/** `spec`: by GraphQL over HTTP, a client that asks for application/json gets status 200 for this, as for every well-formed answer. */
const REQUEST_ERROR_HTTP = { spec: true, status: 400 };
const isOurs = new WeakSet<GraphQLError>();
const MESSAGE_CHARS_MAX = 300;
const ISSUES_MAX = 100;

/** The error at the end of the chain of those that executors wrap around it. */
function rootOf(error: unknown): unknown {
  let root = error;
  while (root instanceof GraphQLError && root.originalError !== undefined) root = root.originalError;
  return root;
}

function located(error: unknown): GraphQLErrorOptions {
  if (!(error instanceof GraphQLError)) return {};
  const { nodes = null, source = null, positions = null, path = null } = error;
  return { nodes, source, positions, path };
}

function refusal(refused: AppError, error: unknown): GraphQLError {
  const { code, issues, retryAfterSeconds } = refused;
  const extensions: Record<string, unknown> = { code };
  if (issues !== undefined) extensions['issues'] = issues;
  if (retryAfterSeconds !== undefined) extensions['retryAfterSeconds'] = retryAfterSeconds;
  if (code === 'UNAUTHENTICATED') extensions['http'] = { status: ERROR_STATUS.UNAUTHENTICATED };
  return new GraphQLError(refused.message, { ...located(error), extensions });
}

/** An error of graphql-js or Yoga about the request itself; with a path it came up while executing, and is a bug unless it is about an argument. */
function requestError(error: GraphQLError, log: LogInternal): GraphQLError {
  const argument = /^Argument "([A-Za-z0-9_]+)"/.exec(error.message)?.[1];
  if (error.path !== undefined && argument === undefined) return internal(error, log);
  const message = argument === undefined ? requestMessage(error) : `${argument}: not valid`;
  const given = error.extensions['issues'];
  const issues = Array.isArray(given) ? given.slice(0, ISSUES_MAX) : [{ path: argument ?? '', message }];
  const code: ErrorCode = 'BAD_USER_INPUT';
  // Yoga's own errors are about the HTTP request, and have a status of their own whatever the client accepts.
  const http =
    error.extensions['code'] === 'BAD_REQUEST' ? { ...asObject(error.extensions['http']), spec: false } : (error.extensions['http'] ?? REQUEST_ERROR_HTTP);
  return new GraphQLError(message, { ...located(error), extensions: { code, issues, http } });
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

/** Texts that repeat what was given, by how they begin. The rest names parts of the schema and of the document. */
const REWRITTEN: readonly [RegExp, string][] = [
  [/^Unknown operation named/, 'the document has no operation of that name'],
  [/^Unexpected parameter/, 'the request body has a parameter that there is not'],
  [/^Variable "/, 'a variable is not valid'],
];

function requestMessage(error: GraphQLError): string {
  if (error.message.startsWith('Syntax Error')) {
    const [at] = error.locations ?? [];
    return at === undefined ? 'syntax error' : `syntax error at line ${String(at.line)}, column ${String(at.column)}`;
  }
  const rewritten = REWRITTEN.find(([pattern]) => pattern.test(error.message));
  return rewritten?.[1] ?? error.message.slice(0, MESSAGE_CHARS_MAX);
}

function internal(error: unknown, log: LogInternal): GraphQLError {
  const errorId = uuidv7();
  log(errorId, error);
  const extensions: Record<string, unknown> = { code: 'INTERNAL', errorId };
  if (!(error instanceof GraphQLError)) extensions['http'] = { status: ERROR_STATUS.INTERNAL };
  return new GraphQLError(`internal error ${errorId}`, { ...located(error), extensions });
}
