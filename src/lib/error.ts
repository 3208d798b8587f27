/** The closed list of `extensions.code` values (spec 10) and the HTTP status that `/v1` answers with for each. */
export const ERROR_STATUS = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  BAD_USER_INPUT: 400,
  CONFLICT: 409,
  RATE_LIMITED: 429,
  TOO_COMPLEX: 400,
  INTERNAL: 500,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

/** One problem of an input: `path` is dotted and relative to the input (`events.3.taskId`), `message` never repeats the value. */
export interface InputIssue {
  path: string;
  message: string;
}

interface AppErrorDetails {
  cause?: unknown;
  issues?: InputIssue[];
  /** Only with RATE_LIMITED. */
  retryAfterSeconds?: number;
}

/** An expected refusal that the client may read as it is. Anything else that is thrown is a bug and is masked as INTERNAL. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly issues: InputIssue[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, details: AppErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'AppError';
    this.code = code;
    this.issues = details.issues;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

const ISSUES_MAX = 100;

/** BAD_USER_INPUT with its problems, at most 100 of them. */
export function badInput(issues: InputIssue[]): AppError {
  return new AppError('BAD_USER_INPUT', issues.length === 1 ? (issues[0]?.message ?? 'invalid input') : 'the input is not valid', {
    issues: issues.slice(0, ISSUES_MAX),
  });
}

/** NOT_FOUND at a path of the input: what the viewer may not know of looks the same as what does not exist. */
export function notFound(path: string, what: string): AppError {
  return new AppError('NOT_FOUND', `${what} not found`, { issues: [{ path, message: `${what} not found` }] });
}
