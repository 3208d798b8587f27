import type { InputIssue } from '../lib/error.ts';
import { isRecord } from '../lib/json.ts';
import { utf8Bytes } from '../lib/text.ts';
import type { HeadersField } from './field.ts';

/** Headers that Tocsin, the connection or a proxy sets (spec 4), in lower case. `authorization` is not among them: receivers need it. */
export const RESERVED_HEADERS = [
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'accept-encoding',
  'user-agent',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'via',
  'cookie',
  'forwarded',
  'x-real-ip',
] as const;
export const RESERVED_HEADER_PREFIXES = ['proxy-', 'x-forwarded-', 'x-z4j-', 'webhook-'] as const;

/** What is wrong with the headers of a config; paths such as `2.name` are relative to the field. */
export function headerIssues(value: unknown, { maxItems, valueBytesMax }: HeadersField): InputIssue[] {
  if (!Array.isArray(value)) return [{ path: '', message: 'must be a list of headers' }];
  if (value.length > maxItems) return [{ path: '', message: `must hold at most ${maxItems} headers` }];
  const seen = new Set<string>();
  return value.flatMap((header: unknown, index) => {
    if (!isRecord(header)) return [{ path: `${index}`, message: 'must have a name and a value' }];
    const { name, value: text } = header;
    return [...issue(`${index}.name`, nameProblem(name) ?? repeatProblem(name, seen)), ...issue(`${index}.value`, valueProblem(text, valueBytesMax))];
  });
}

/** RFC 9110 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const CONTROL = /\p{Cc}/u;

function issue(path: string, message: string | null): InputIssue[] {
  return message === null ? [] : [{ path, message }];
}

function nameProblem(name: unknown): string | null {
  if (typeof name !== 'string' || !TOKEN.test(name)) return "must be a header name: letters, digits and !#$%&'*+-.^_`|~";
  const lower = name.toLowerCase();
  const isReserved = RESERVED_HEADERS.some((reserved) => reserved === lower) || RESERVED_HEADER_PREFIXES.some((prefix) => lower.startsWith(prefix));
  return isReserved ? 'is reserved: Tocsin, the connection or a proxy sets it' : null;
}

/** Names are the same in any case. */
function repeatProblem(name: unknown, seen: Set<string>): string | null {
  const lower = String(name).toLowerCase();
  if (seen.has(lower)) return 'is the name of an earlier header';
  seen.add(lower);
  return null;
}

function valueProblem(value: unknown, bytesMax: number): string | null {
  if (typeof value !== 'string') return 'must be text';
  if (value.trim() === '') return 'must not be empty';
  if (CONTROL.test(value)) return 'must not hold control characters';
  if (!value.isWellFormed()) return 'must be well-formed text';
  return utf8Bytes(value) > bytesMax ? `must be at most ${bytesMax} bytes long` : null;
}
