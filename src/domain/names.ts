import { hasUnstorable, utf8Bytes } from '../lib/text.ts';

/** A value in the form to store it in, or what is wrong with it: words that never repeat it. */
export type Checked<T> = { ok: true; value: T } | { ok: false; message: string };

/** UTF-16 units that a name of a user, project, channel, subscription or token may have. */
const NAME_CHARS_MAX = 100;
const SLUG_CHARS_MAX = 63;
/** RFC 5321 4.5.3.1. */
const EMAIL_CHARS_MAX = 254;
const LOCAL_PART_CHARS_MAX = 64;
const URL_BYTES_MAX = 2_000;

/** A name that people give: trimmed, 1 to 100 characters, without control characters. */
export function checkName(text: string): Checked<string> {
  const name = text.trim();
  if (name === '') return refused('must not be empty');
  if (name.length > NAME_CHARS_MAX) return refused(`must have at most ${String(NAME_CHARS_MAX)} characters`);
  if (hasUnstorable(name) || CONTROL.test(name)) return refused('must not contain control characters');
  return { ok: true, value: name };
}

/** A project's slug: it stands in URLs, in PagerDuty's dedup keys and in the names of audit logs. */
export function checkSlug(text: string): Checked<string> {
  if (text.length > SLUG_CHARS_MAX || !SLUG.test(text)) {
    return refused(`must be 1 to ${String(SLUG_CHARS_MAX)} lower-case letters and digits, with single hyphens between them`);
  }
  return RESERVED_SLUGS.has(text) ? refused('is reserved') : { ok: true, value: text };
}

/** An email address, in lower case: dot-atom and host name of RFC 5321 in ASCII, neither quoted parts nor address literals. */
export function checkEmail(text: string): Checked<string> {
  // Only ASCII is put into lower case: the Kelvin sign would become a "k", and one address another.
  const email = text.trim().replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  const [local = '', host = ''] = email.split('@', 2);
  const isValid = email.length <= EMAIL_CHARS_MAX && local.length <= LOCAL_PART_CHARS_MAX && email === `${local}@${host}`;
  return isValid && DOT_ATOM.test(local) && HOST.test(host) ? { ok: true, value: email } : refused('must be an email address');
}

/** The base of a project's links: an http or https URL that a path can be put after. */
export function checkDashboardUrl(text: string): Checked<string> {
  const problem = urlProblem(text) ?? (/[?#{}]/.test(text) ? 'must not have a query, a fragment or braces: paths are put after it' : null);
  return problem === null ? { ok: true, value: text } : refused(problem);
}

/** What may stand in braces in a task's URL. */
const URL_PLACEHOLDERS = ['taskId', 'taskName', 'queue', 'agent'] as const;

/** The URL of a task elsewhere: an http or https URL with placeholders after its host, which an event's contents must not choose. */
export function checkTaskUrlTemplate(text: string): Checked<string> {
  const filled = text.replaceAll(PLACEHOLDER, 'x');
  if (/[{}]/.test(filled)) return refused(`may have ${URL_PLACEHOLDERS.map((name) => `{${name}}`).join(', ')} in braces, and no other brace`);
  const problem = urlProblem(filled);
  if (problem !== null) return refused(problem);
  return PLACEHOLDER_IN_HOST.test(text) ? refused('must not have placeholders before the path') : { ok: true, value: text };
}

/** What a URL that Tocsin links to, but never opens, must be; null where it is. */
function urlProblem(text: string): string | null {
  if (utf8Bytes(text) > URL_BYTES_MAX) return `must have at most ${String(URL_BYTES_MAX)} bytes`;
  if (hasUnstorable(text) || UNSAFE_IN_URL.test(text) || !HTTP_URL.test(text) || !URL.canParse(text)) return 'must be an http or https URL';
  const { username, password } = new URL(text);
  return username === '' && password === '' && !USERINFO.test(text) ? null : 'must not have a user name or password';
}

/** A project of this slug would share its audit log's name with the instance's (spec 11). */
const RESERVED_SLUGS = new Set(['instance']);
const SLUG = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused, with C1 and the line separators.
const CONTROL = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/;
/** Characters that make parsers differ on where a host ends, or that could break out of a link. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
const UNSAFE_IN_URL = /[\x00-\x20\x7f-\x9f\s\\<>"^`|]/;
const HTTP_URL = /^https?:\/\/[^/?#]/i;
const USERINFO = /^https?:\/\/[^/?#]*@/i;
const PLACEHOLDER_IN_HOST = /^https?:\/\/[^/?#]*\{/i;
const PLACEHOLDER = new RegExp(`\\{(?:${URL_PLACEHOLDERS.join('|')})\\}`, 'g');
const DOT_ATOM = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const HOST = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

function refused(message: string): { ok: false; message: string } {
  return { ok: false, message };
}
