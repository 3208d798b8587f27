// A process of its own for guarded-mail.test.ts: what Node reads of its environment, it reads at start.
import { createGuardedMail } from '../../src/net/guarded-mail.ts';

const toPort = Number(process.argv[2]);
const policy = { allowCidrs: [], allowHttp: false, hosts: [{ host: 'smtp.example.com', port: null, address: '127.0.0.1', toPort }] };
const port = createGuardedMail({ policy, lookup: () => Promise.resolve([]), publicUrl: 'https://tocsin.example.com' });
const result = await port.send({
  server: { host: 'smtp.example.com', port: 587, tls: 'STARTTLS' },
  auth: { user: 'tocsin@example.com', pass: 'pässword "with" + signs', isDemanded: true },
  from: 'tocsin@example.com',
  recipients: ['a@example.com'],
  headerTo: ['a@example.com'],
  messageId: '1@example.com',
  dateMs: 0,
  subject: 'x',
  text: 'x',
  html: 'x',
});
await port.close();
process.stdout.write(JSON.stringify(result));
