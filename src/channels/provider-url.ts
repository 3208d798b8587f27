import { parseHttpTarget } from '../domain/egress-url.ts';

/** Where a provider's webhook URLs lead. */
export interface ProviderUrls {
  hosts: readonly string[];
  /** The whole path, as the URL parser writes it: dot segments are gone, so it names no encoded slash or dot. */
  path: RegExp;
  hasQuery: boolean;
  /** What such a URL looks like, for the refusal. */
  form: string;
}

/** Why `text` is no URL of the provider, without repeating it; null where it is one. Its host and port are the provider's, always by https. */
export function providerUrlProblem(text: string, { hosts, path, hasQuery, form }: ProviderUrls): string | null {
  const check = parseHttpTarget(text, false);
  if (!check.ok) return check.message;
  const { host, port, path: target } = check.target;
  const [pathname = '', query] = target.split('?');
  const isProviders = hosts.includes(host) && port === 443 && path.test(pathname) && (hasQuery || query === undefined) && !text.includes('#');
  return isProviders ? null : `must have the form ${form}`;
}

/** The parts of a path that give its URL away: all that comes after `prefix`, and the token at its end. `/slack` after it is no part of it. */
export function pathSecrets(url: string, prefix: string): string[] {
  const path = URL.parse(url)?.pathname.replace(/(?:\/slack)?\/?$/, '') ?? '';
  const rest = path.startsWith(prefix) ? path.slice(prefix.length) : '';
  const token = rest.split('/').at(-1) ?? '';
  return [rest, token].filter((part) => part.length >= PART_CHARS_MIN);
}

/** Shorter ones would mask what is no secret; no provider makes tokens that short. */
const PART_CHARS_MIN = 8;
