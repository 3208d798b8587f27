import { onTestFinished } from 'vitest';
import type { Mail, MailPort } from '../../src/domain/ports.ts';
import { createGuardedMail, type GuardedMailOptions } from '../../src/net/guarded-mail.ts';
import { PROVIDERS_CA } from '../support/providers/provider.ts';
import { openSmtpServer, SMTP_PASS, SMTP_USER, type SmtpServer, type SmtpServerOptions } from '../support/providers/smtp.ts';
import { CLOSED_POLICY } from './harness.ts';

export const HOST = 'smtp.example.com';
const PORTS = { IMPLICIT: 465, STARTTLS: 587, NONE: 25 } as const;

/** A mail to `recipients` by way of smtp.example.com. */
export function mailTo(recipients: readonly string[], tls: Mail['server']['tls'] = 'STARTTLS'): Mail {
  return {
    server: { host: HOST, port: PORTS[tls], tls },
    auth: { user: SMTP_USER, pass: SMTP_PASS, isDemanded: tls !== 'NONE' },
    from: 'tocsin@example.com',
    recipients,
    headerTo: recipients,
    messageId: 'delivery-1@example.com',
    dateMs: Date.UTC(2026, 10, 24, 12),
    subject: '[tocsin] Task failed: billing.run (my-project)',
    text: 'It failed.\n',
    html: '<p>It failed.</p>\n',
  };
}

/** The guarded port, closed when the test ends, for which smtp.example.com is at `toPort` of this machine. */
export function openMail(toPort: number, options: Partial<GuardedMailOptions> = {}): MailPort & { close(): Promise<void> } {
  const hosts = [{ host: HOST, port: null, address: '127.0.0.1', toPort }];
  const lookup = (): Promise<string[]> => Promise.resolve([]);
  const mail = createGuardedMail({ policy: { ...CLOSED_POLICY, hosts }, lookup, publicUrl: 'https://tocsin.example.com', ca: PROVIDERS_CA, ...options });
  onTestFinished(() => mail.close());
  return mail;
}

/** A mail server, closed when the test ends. */
export async function openServer(options: SmtpServerOptions = {}): Promise<SmtpServer> {
  const server = await openSmtpServer(options);
  onTestFinished(() => server.close());
  return server;
}
