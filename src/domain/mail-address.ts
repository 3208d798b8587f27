import { parseHostName } from './host-name.ts';

/** RFC 5321 4.5.3.1: of the local part, and of a path without its angle brackets. */
const LOCAL_CHARS_MAX = 64;
export const MAIL_ADDRESS_CHARS_MAX = 254;

/**
 * The one plain address that `text` is, its domain in lower case and ASCII; null where it is anything else: a name with an address, a list, a group,
 * a comment, a quoted local part, white space anywhere. What comes out can stand in a header and in an SMTP command as it is.
 */
export function parseMailAddress(text: string): string | null {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, Math.max(at, 0));
  const domain = parseHostName(text.slice(at + 1));
  if (domain === null || local.length > LOCAL_CHARS_MAX || !DOT_ATOM.test(local)) return null;
  const address = `${local}@${domain}`;
  return address.length > MAIL_ADDRESS_CHARS_MAX ? null : address;
}

/** RFC 5322 3.2.3. Letters beyond ASCII need SMTPUTF8, which a relay on the way may not have. */
const DOT_ATOM = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
