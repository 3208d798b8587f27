import type { Checked } from '../domain/names.ts';
import { AppError, badInput, type InputIssue } from '../lib/error.ts';

/** CONFLICT at a path of the input: what is asked for cannot be as things stand. */
export function conflict(path: string, message: string): AppError {
  return new AppError('CONFLICT', message, { issues: [{ path, message }] });
}

/** FORBIDDEN: the viewer knows of it, but may not do this to it. */
export function forbidden(): AppError {
  return new AppError('FORBIDDEN', 'not allowed');
}

/** The problems of one input, gathered so that a client sees all of them at once. */
export interface Problems {
  add(path: string, message: string): void;
  /** The value of a check, or, with its problem noted, undefined. */
  take<T>(path: string, checked: Checked<T>): T | undefined;
  /** Notes null where only a value or nothing may stand, and takes a check of the value otherwise. Undefined: nothing was given, or it is wrong. */
  given<I, T>(path: string, input: I | null | undefined, check: (input: I) => Checked<T>): T | undefined;
  /** The same where null stands for "none". */
  clearable<I, T>(path: string, input: I | null | undefined, check: (input: I) => Checked<T>): T | null | undefined;
  /** Throws BAD_USER_INPUT where there are any. */
  throwIfAny(): void;
}

/** A list of problems, empty at first. */
export function createProblems(): Problems {
  const issues: InputIssue[] = [];

  function take<T>(path: string, checked: Checked<T>): T | undefined {
    if (checked.ok) return checked.value;
    issues.push({ path, message: checked.message });
    return undefined;
  }

  return {
    add: (path, message) => {
      issues.push({ path, message });
    },
    take,
    given: (path, input, check) => {
      if (input === null) issues.push({ path, message: 'must not be null' });
      return input === null || input === undefined ? undefined : take(path, check(input));
    },
    clearable: (path, input, check) => {
      if (input === null) return null;
      return input === undefined ? undefined : take(path, check(input));
    },
    throwIfAny: () => {
      if (issues.length > 0) throw badInput(issues);
    },
  };
}

/** A check that lets everything through: for what its type alone settles. */
export function accept<T>(value: T): Checked<T> {
  return { ok: true, value };
}
