import { createHash } from 'node:crypto';
import MailComposer from 'nodemailer/lib/mail-composer';
import type { Mail } from '../domain/ports.ts';

/** The bytes of a mail (RFC 5322, MIME): the same for the same mail. Lines are short, and all is ASCII, so that any server takes it. */
export function composeMessage(mail: Mail): Promise<Buffer> {
  const composer = new MailComposer({
    from: { address: mail.from },
    to: mail.headerTo.map((address) => ({ address })),
    subject: mail.subject,
    messageId: `<${mail.messageId}>`,
    date: new Date(mail.dateMs),
    headers: { 'Auto-Submitted': 'auto-generated' },
    text: mail.text,
    html: mail.html,
    encoding: 'quoted-printable',
    newline: 'win',
    baseBoundary: createHash('sha256').update(mail.messageId).digest('hex').slice(0, 16),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}
