import { parseHostName } from '../domain/host-name.ts';
import { MAIL_ADDRESS_CHARS_MAX, parseMailAddress } from '../domain/mail-address.ts';
import type { Mail } from '../domain/ports.ts';
import type { InputIssue } from '../lib/error.ts';
import { defineMailChannel } from './channel.ts';
import { mailTexts } from './email-texts.ts';

/** The port whose TLS begins with the first byte (RFC 8314 3.3), and the one where servers speak without TLS to each other. */
const IMPLICIT_TLS_PORT = 465;
const PLAIN_PORT = 25;

/** Mail over a server of the operator's or a provider's. */
export const email = defineMailChannel({
  kind: 'email',
  typeName: 'Email',
  title: 'Email',
  docsUrl: 'https://www.rfc-editor.org/rfc/rfc8314',
  fields: {
    smtpHost: {
      kind: 'TEXT',
      label: 'SMTP host',
      required: true,
      maxLength: 253,
      check: (text) => (parseHostName(text) === null ? 'must be a host name, without scheme or port' : null),
      portField: 'smtpPort',
      hint: 'When it changes, the password must be given anew.',
    },
    smtpPort: { kind: 'INTEGER', label: 'SMTP port', required: true, choices: [25, 465, 587, 2525], hint: '465 is TLS from the start, the others STARTTLS.' },
    smtpUser: { kind: 'TEXT', label: 'User', required: true, maxLength: 255 },
    smtpPass: { kind: 'SECRET', label: 'Password', required: true },
    smtpTls: { kind: 'BOOLEAN', label: 'TLS', default: true, hint: 'May be off on port 25 alone: then the password and all else go unencrypted.' },
    fromAddr: {
      kind: 'TEXT',
      label: 'From',
      defaultFrom: 'smtpUser',
      maxLength: MAIL_ADDRESS_CHARS_MAX,
      check: (text) => addressProblem(text, ', and is required where smtpUser is none'),
      hint: 'One address, without a name. The user where it is left out.',
    },
    toAddrs: {
      kind: 'TEXT_LIST',
      label: 'To',
      required: true,
      maxItems: 50,
      maxLength: MAIL_ADDRESS_CHARS_MAX,
      check: (text) => addressProblem(text, ''),
      hint: 'At most 50 addresses, without names. All of them see each other.',
    },
  },
  targets: ['smtpHost', 'smtpPort', 'smtpTls'],
  check: ({ smtpPort, smtpTls, toAddrs }) => [
    ...(smtpTls || smtpPort === PLAIN_PORT ? [] : [{ path: 'smtpTls', message: `may be off on port ${PLAIN_PORT} alone` }]),
    ...repeatedAddresses(toAddrs),
  ],
  prepare: ({ smtpHost, smtpPort, smtpUser, smtpPass, smtpTls, fromAddr, toAddrs }) => {
    const recipients = toAddrs.map(canonical);
    return {
      server: { host: parseHostName(smtpHost) ?? '', port: smtpPort, tls: tlsOf(smtpPort, smtpTls) },
      auth: { user: smtpUser, pass: smtpPass, isDemanded: smtpPort !== PLAIN_PORT },
      from: canonical(fromAddr),
      recipients,
      headerTo: recipients,
    };
  },
  compose: (message, prepared, attemptMs) => ({
    ...prepared,
    messageId: `${message.deliveryId}@${prepared.from.slice(prepared.from.lastIndexOf('@') + 1)}`,
    dateMs: attemptMs,
    ...mailTexts(message),
  }),
});

function addressProblem(text: string, otherwise: string): string | null {
  return parseMailAddress(text) === null ? `must be one address such as alerts@example.com${otherwise}` : null;
}

function tlsOf(port: number, isOn: boolean): Mail['server']['tls'] {
  if (port === IMPLICIT_TLS_PORT) return 'IMPLICIT';
  return isOn ? 'STARTTLS' : 'NONE';
}

function repeatedAddresses(toAddrs: readonly string[]): InputIssue[] {
  const all = toAddrs.map(canonical);
  return all.flatMap((address, index) => (all.indexOf(address) < index ? [{ path: `toAddrs.${index}`, message: 'is the address of an earlier item' }] : []));
}

/** Of an address that was checked. */
function canonical(address: string): string {
  return parseMailAddress(address) ?? '';
}
