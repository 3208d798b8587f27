import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Mail, MailResult } from '../../src/domain/ports.ts';
import { NO_CONNECTION } from '../../src/net/egress-error.ts';
import { cut, SMTP_PASS, SMTP_USER, type SmtpAnswer, type SmtpServerOptions, type SmtpStep, silence } from '../support/providers/smtp.ts';
import { CLOSED_POLICY, createManualClock, listen, openRawServer, runScript } from './harness.ts';
import { HOST, mailTo, openMail, openServer } from './mail-harness.ts';

const A = 'a@example.com';
const B = 'b@example.com';
const C = 'c@example.com';

/** Answers one step with these, in turn, the last one again and again; the rest is the server's. */
function at(step: SmtpStep, ...answers: SmtpAnswer[]): SmtpServerOptions {
  return { answer: (asked) => (asked === step ? (answers.length > 1 ? answers.shift() : answers[0]) : undefined) };
}

async function sendTo(options: SmtpServerOptions, mail: Mail = mailTo([A])): Promise<MailResult> {
  const server = await openServer(options);
  return await openMail(server.port).send(mail);
}

describe('a mail arrives', () => {
  test.each([
    ['STARTTLS', 'STARTTLS', ['PLAIN', 'LOGIN']],
    ['STARTTLS', 'STARTTLS', ['LOGIN']],
    ['IMPLICIT', 'IMPLICIT', ['CRAM-MD5', 'PLAIN']],
    ['NONE', 'PLAIN', ['LOGIN']],
    ['NONE', 'PLAIN', []],
  ] as const)('by %s, AUTH %s', async (tls, serverTls, mechanisms) => {
    const server = await openServer({ tls: serverTls, mechanisms });
    expect(await openMail(server.port).send(mailTo([A, B], tls))).toEqual({
      ok: true,
      replies: [A, B].map((recipient) => ({ recipient, step: 'MESSAGE', code: 250, text: '250 2.0.0 taken' })),
    });
    expect(server.mails).toMatchObject([{ from: 'tocsin@example.com', to: [A, B], isTls: tls !== 'NONE', user: mechanisms.length > 0 ? SMTP_USER : null }]);
    expect(server.servernames).toEqual(tls === 'NONE' ? [] : [HOST]);
    expect(server.lines[0]?.line).toBe('EHLO tocsin.example.com');
    await vi.waitFor(() => expect(server.lines.at(-1)?.line).toBe('QUIT'));
  });

  test('with PIPELINING, and a server that knows much', async () => {
    const server = await openServer({ extensions: ['PIPELINING', 'SIZE 1000000', '8BITMIME', 'SMTPUTF8', 'DSN'] });
    expect(await openMail(server.port).send(mailTo([A, B]))).toMatchObject({ ok: true });
    expect(server.mails.map(({ to }) => to)).toEqual([[A, B]]);
  });

  test('NODE_EXTRA_CA_CERTS is trusted', async () => {
    const server = await openServer();
    const output = await runScript('send-mail.ts', [String(server.port)], {
      env: { NODE_EXTRA_CA_CERTS: fileURLToPath(new URL('../support/providers/tls/ca.pem', import.meta.url)) },
    });
    expect(JSON.parse(output)).toMatchObject({ ok: true });
    expect(server.mails.length).toBe(1);
  });

  test.each([
    ['https://tocsin.example.com/x', 'tocsin.example.com'],
    ['http://127.0.0.1:4000', '[127.0.0.1]'],
    ['http://[2001:db8::1]:4000', '[IPv6:2001:db8::1]'],
    ['http://localhost:4000', '[127.0.0.1]'],
  ])('%s says EHLO %s', async (publicUrl, name) => {
    const server = await openServer();
    await openMail(server.port, { publicUrl }).send(mailTo([A]));
    expect(server.lines[0]?.line).toBe(`EHLO ${name}`);
  });
});

/** Written down from RFC 5321 and 4954, apart from the code. "Good": the session goes on as the server's own rules say, or waits for more. */
const GOOD: Record<Exclude<SmtpStep, 'HELO' | 'QUIT' | 'STARTTLS'>, (code: number) => boolean> = {
  GREETING: (code) => code === 220,
  EHLO: (code) => code < 300,
  AUTH: (code) => code < 300 || code === 334,
  MAIL: (code) => code < 300,
  RCPT: (code) => code < 300,
  DATA: (code) => code < 400,
  MESSAGE: (code) => code < 300,
};

describe.each(Object.entries(GOOD))('every reply to %s', (name, isGood) => {
  const step = name as SmtpStep;
  const codes = Array.from({ length: 400 }, (_, index) => 200 + index).filter((code) => !isGood(code));

  test('that does not go on is told with its code, to all that it met', async () => {
    let code = 0;
    const server = await openServer({ answer: (asked) => (asked === step ? `${code} 4.7.0 no` : undefined) });
    const mail = openMail(server.port);
    for (code of codes) {
      const result = await mail.send(mailTo([A, B]));
      if (code < 300) expect(result, `${code}`).toMatchObject({ ok: false, failure: 'PROTOCOL' });
      else expect(result, `${code}`).toEqual({ ok: true, replies: [A, B].map((recipient) => ({ recipient, step, code, text: `${code} 4.7.0 no` })) });
    }
    expect(server.mails).toEqual([]);
  });

  test.each([
    ['garbage', 'hello'],
    ['two digits', '25 fine'],
    ['a number beyond', '999 what'],
    ['an empty code', ' 250 fine'],
  ])('%s is no reply', async (_what, text) => {
    const result = await sendTo(at(step, text));
    expect(result).toEqual({ ok: false, failure: 'PROTOCOL', message: 'the answer is not valid SMTP' });
  });

  test('a connection that is cut instead', async () => {
    expect(await sendTo(at(step, cut))).toEqual({ ok: false, failure: 'PROTOCOL', message: 'the connection was closed before an answer' });
  });

  test('421 and the connection closed', async () => {
    const closing: SmtpAnswer = (socket) => socket.end('421 4.3.2 shutting down\r\n');
    expect(await sendTo(at(step, closing))).toMatchObject({ ok: true, replies: [{ recipient: A, code: 421, text: '421 4.3.2 shutting down' }] });
  });

  test('silence is a time-out after 10 s, on a manual clock', async () => {
    const clock = createManualClock();
    const asked = Promise.withResolvers<void>();
    const server = await openServer({
      answer: (now) => {
        if (now !== step) return undefined;
        asked.resolve();
        return silence;
      },
    });
    const sending = openMail(server.port, { clock }).send(mailTo([A]));
    await asked.promise;
    await settledSoon();
    clock.advance(9_999);
    expect(await Promise.race([sending, settledSoon()])).toBe('not yet');
    clock.advance(1);
    expect(await sending).toEqual({ ok: false, failure: 'TIMEOUT', message: 'no answer in time' });
  });
});

/** Time enough for what is on its way over loopback. */
async function settledSoon(): Promise<'not yet'> {
  await new Promise((resolve) => setTimeout(resolve, 30));
  return 'not yet';
}

describe('recipients are told apart', () => {
  test.each([
    ['one by one', []],
    ['with PIPELINING', ['PIPELINING']],
  ])('some refused, some put off, the others have it: %s', async (_how, extensions) => {
    const server = await openServer({
      extensions,
      answer: (step, line) => (step !== 'RCPT' ? undefined : line.includes(B) ? '451 4.7.1 later' : line.includes(C) ? '550 5.1.1 who?' : undefined),
    });
    expect(await openMail(server.port).send(mailTo([C, A, B]))).toEqual({
      ok: true,
      replies: [
        { recipient: C, step: 'RCPT', code: 550, text: '550 5.1.1 who?' },
        { recipient: A, step: 'MESSAGE', code: 250, text: '250 2.0.0 taken' },
        { recipient: B, step: 'RCPT', code: 451, text: '451 4.7.1 later' },
      ],
    });
    expect(server.mails.map(({ to }) => to)).toEqual([[A]]);
  });

  test.each([['DATA'], ['MESSAGE']] as const)('the mail itself put off at %s: who was refused stays refused', async (step) => {
    const options: SmtpServerOptions = {
      answer: (asked, line) => (asked === step ? '452 4.3.1 full' : asked === 'RCPT' && line.includes(C) ? '550 5.1.1 who?' : undefined),
    };
    expect(await sendTo(options, mailTo([A, C]))).toMatchObject({
      ok: true,
      replies: [
        { recipient: A, step, code: 452 },
        { recipient: C, step: 'RCPT', code: 550 },
      ],
    });
  });

  test.each([[[]], [['PIPELINING']]])('a refused sender is not taken for refused recipients: %j', async (extensions) => {
    expect(await sendTo({ extensions, ...at('MAIL', '451 4.7.1 greylisted') }, mailTo([A, B]))).toMatchObject({
      ok: true,
      replies: [
        { recipient: A, step: 'MAIL', code: 451 },
        { recipient: B, step: 'MAIL', code: 451 },
      ],
    });
  });
});

describe('TLS', () => {
  const forbidden = (lines: { line: string; isTls: boolean }[]): string[] =>
    lines.filter(({ line, isTls }) => !isTls && /^(?:AUTH|MAIL|RCPT|DATA)/.test(line)).map(({ line }) => line);

  test('a STARTTLS that was stripped from the offers gets no credentials', async () => {
    const server = await openServer({ tls: 'PLAIN' });
    expect(await openMail(server.port).send(mailTo([A]))).toMatchObject({ ok: true, replies: [{ step: 'STARTTLS', code: 502 }] });
    expect(forbidden(server.lines)).toEqual([]);
  });

  test('nor does a server that refuses it, puts it off, or does not know EHLO', async () => {
    for (const options of [at('STARTTLS', '502 no'), at('STARTTLS', '454 4.7.0 later'), at('EHLO', '500 what?')]) {
      const server = await openServer(options);
      expect(await openMail(server.port).send(mailTo([A]))).toMatchObject({ ok: true, replies: [{ code: expect.any(Number) }] });
      expect(forbidden(server.lines)).toEqual([]);
      expect(server.lines.some(({ line }) => line.startsWith('HELO'))).toBe(false);
    }
  });

  test('what was said before the handshake is forgotten', async () => {
    // https://nostarttls.secvuln.info: an answer that was slipped in behind the 220 must not count after the handshake.
    const server = await openServer(at('STARTTLS', (socket) => socket.write('220 go on\r\n250-smtp.example.com\r\n250 AUTH PLAIN\r\n')));
    expect(await openMail(server.port, { limits: { connectMs: 200 } }).send(mailTo([A]))).toMatchObject({ ok: false, failure: 'TIMEOUT' });
    expect(forbidden(server.lines)).toEqual([]);
  });

  test.each([
    ['of a CA that nobody trusts', 'STARTTLS', HOST, {}, 'the TLS certificate is not one that this server trusts'],
    ['of a CA that nobody trusts', 'IMPLICIT', HOST, {}, 'the TLS certificate is not one that this server trusts'],
    ['for another name', 'STARTTLS', 'mail.example.org', undefined, 'the TLS certificate is for another name'],
    ['for another name', 'IMPLICIT', 'mail.example.org', undefined, 'the TLS certificate is for another name'],
  ] as const)('a certificate %s: %s', async (_what, tls, host, ca, message) => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    onTestFinished(() => void vi.unstubAllEnvs());
    const server = await openServer({ tls });
    const policy = { ...CLOSED_POLICY, hosts: [{ host, port: null, address: '127.0.0.1', toPort: server.port }] };
    const mail = mailTo([A], tls);
    const port = openMail(server.port, { policy, ...(ca === undefined ? {} : { ca: '' }) });
    expect(await port.send({ ...mail, server: { ...mail.server, host } })).toEqual({ ok: false, failure: 'TLS', message });
    expect(server.lines.filter(({ line }) => !/^(?:EHLO|STARTTLS)/.test(line))).toEqual([]);
  });

  test('who does not speak TLS where it is expected', async () => {
    const server = await openServer({ tls: 'PLAIN' });
    expect(await openMail(server.port).send(mailTo([A], 'IMPLICIT'))).toEqual({ ok: false, failure: 'TLS', message: 'the TLS handshake failed' });
    const garbage = await openServer(
      at('STARTTLS', (socket) => {
        socket.once('data', () => socket.write('not TLS at all\r\n'.repeat(9)));
        socket.write('220 go on\r\n');
      }),
    );
    expect(await openMail(garbage.port).send(mailTo([A]))).toMatchObject({ ok: false, failure: 'TLS' });
  });

  test('a handshake that stalls ends after 5 s: that of STARTTLS on a manual clock', async () => {
    const clock = createManualClock();
    const asked = Promise.withResolvers<void>();
    const server = await openServer({
      answer: (step) =>
        step === 'STARTTLS'
          ? (socket) => {
              socket.write('220 go on\r\n');
              asked.resolve();
            }
          : undefined,
    });
    const sending = openMail(server.port, { clock }).send(mailTo([A]));
    await asked.promise;
    await settledSoon();
    clock.advance(4_999);
    expect(await Promise.race([sending, settledSoon()])).toBe('not yet');
    clock.advance(1);
    expect(await sending).toMatchObject({ ok: false, failure: 'TIMEOUT' });
  });

  test('a server that takes the connection and says nothing to TLS: no connection', async () => {
    const server = await openRawServer(() => undefined);
    expect(await openMail(server.port, { limits: { connectMs: 50 } }).send(mailTo([A], 'IMPLICIT'))).toEqual({
      ok: false,
      failure: 'CONNECT',
      message: NO_CONNECTION,
    });
  });
});

describe('credentials', () => {
  test('refused ones', async () => {
    const result = await sendTo({ pass: 'other' });
    expect(result).toMatchObject({ ok: true, replies: [{ step: 'AUTH', code: 535 }] });
  });

  test.each([[['CRAM-MD5']], [['XOAUTH2']], [[]]])('AUTH %j alone is not used where it is demanded', async (mechanisms) => {
    const server = await openServer({ mechanisms });
    expect(await openMail(server.port).send(mailTo([A]))).toEqual({
      ok: false,
      failure: 'PROTOCOL',
      message: 'the mail server offers neither AUTH PLAIN nor AUTH LOGIN',
    });
    expect(server.lines.some(({ line }) => line.startsWith('AUTH') || line.startsWith('MAIL'))).toBe(false);
  });

  test('nothing that comes back holds the resolved address', async () => {
    const result = await sendTo(at('RCPT', '550 5.7.1 [127.0.0.1] is not welcome here'));
    expect(JSON.stringify(result)).toContain('[[address]]');
    expect(JSON.stringify(result)).not.toContain('127.0.0.1');
  });
});

describe('egress', () => {
  test.each([
    ['a private address', ['10.0.0.1']],
    ['one private address among public ones', ['93.184.216.34', '127.0.0.1']],
    ['no address', []],
  ])('%s: refused when it is saved and when it is sent to, with the same words', async (_what, addresses) => {
    const dialled: unknown[] = [];
    const openSocket = (): never => {
      dialled.push('dialled');
      throw new Error('dialled');
    };
    const mail = openMail(0, { policy: CLOSED_POLICY, lookup: () => Promise.resolve(addresses), openSocket });
    expect(await mail.check(HOST, 587)).toEqual({
      ok: false,
      message: 'must lead to a host that resolves, and only to addresses that the egress policy allows',
    });
    expect(await mail.send(mailTo([A]))).toEqual({ ok: false, failure: addresses.length === 0 ? 'DNS' : 'EGRESS_REFUSED', message: NO_CONNECTION });
    expect(dialled).toEqual([]);
  });

  test('a name that leads elsewhere at each look gets no byte: it is connected to what was checked', async () => {
    const server = await openServer();
    let asked = 0;
    const lookup = (): Promise<string[]> => {
      asked += 1;
      return Promise.resolve(asked === 1 ? ['93.184.216.34'] : ['127.0.0.1']);
    };
    const dials: (readonly string[])[] = [];
    const { connect } = await import('node:net');
    // What a resolver between us and the socket would do: it dials another address than the one that was asked for.
    const openSocket = (addresses: readonly string[]): ReturnType<typeof connect> => {
      dials.push(addresses);
      return connect({ host: '127.0.0.1', port: server.port });
    };
    const mail = openMail(server.port, { policy: CLOSED_POLICY, lookup, openSocket });
    expect(await mail.send(mailTo([A], 'NONE'))).toEqual({ ok: false, failure: 'EGRESS_REFUSED', message: NO_CONNECTION });
    expect([dials, asked]).toEqual([[['93.184.216.34']], 1]);
    expect(server.lines).toEqual([]);
    const now = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(now + 31_000);
    expect(await mail.send(mailTo([A], 'NONE'))).toMatchObject({ failure: 'EGRESS_REFUSED' });
    expect([dials.length, asked]).toEqual([1, 2]);
  });

  test('the operator opens a range', async () => {
    const server = await openServer({ tls: 'PLAIN' });
    const policy = { ...CLOSED_POLICY, allowCidrs: ['127.0.0.0/8'] };
    const mail = mailTo([A], 'NONE');
    const port = openMail(0, { policy, lookup: () => Promise.resolve(['127.0.0.1']) });
    expect(await port.check(HOST, 25)).toEqual({ ok: true });
    expect(await port.send({ ...mail, server: { ...mail.server, port: server.port } })).toMatchObject({ ok: true });
  });
});

describe('time', () => {
  test('nobody listens: no connection', async () => {
    const closed = createServer();
    const port = await listen(closed);
    closed.close();
    expect(await openMail(port).send(mailTo([A]))).toEqual({ ok: false, failure: 'CONNECT', message: NO_CONNECTION });
  });

  test('a reply that drips byte by byte is late all the same', async () => {
    const drip: SmtpAnswer = (socket) => {
      const timer = setInterval(() => socket.write('2'), 5);
      socket.on('close', () => clearInterval(timer));
    };
    expect(await openMail((await openServer(at('MAIL', drip))).port, { limits: { replyMs: 100 } }).send(mailTo([A]))).toMatchObject({
      ok: false,
      failure: 'TIMEOUT',
    });
  });

  test('a server that is never late, and never ready: 30 s in all', async () => {
    const clock = createManualClock();
    let asked = Promise.withResolvers<void>();
    let answerNow = (): void => {};
    const server = await openServer({
      tls: 'PLAIN',
      mechanisms: [],
      answer: (_step, line) => {
        if (!line.startsWith('RCPT')) return undefined;
        return (socket) => {
          answerNow = () => socket.write('250 fine\r\n');
          asked.resolve();
        };
      },
    });
    const sending = openMail(server.port, { clock }).send(
      mailTo(
        Array.from({ length: 50 }, (_, index) => `r${index}@example.com`),
        'NONE',
      ),
    );
    for (let seconds = 0; seconds < 27; seconds += 9) {
      await asked.promise;
      asked = Promise.withResolvers();
      clock.advance(9_000);
      answerNow();
    }
    await asked.promise;
    clock.advance(2_999);
    expect(await Promise.race([sending, settledSoon()])).toBe('not yet');
    clock.advance(1);
    expect(await sending).toMatchObject({ ok: false, failure: 'TIMEOUT' });
  });

  test('an endless reply is cut', async () => {
    const endless: SmtpAnswer = (socket) => {
      const more = (): boolean => socket.writable && socket.write(`250-${'x'.repeat(1_000)}\r\n`.repeat(50), () => setImmediate(more));
      more();
    };
    expect(await sendTo(at('EHLO', endless))).toMatchObject({ ok: false, failure: 'PROTOCOL' });
  });

  test('a server that leaves QUIT without an answer costs nothing', async () => {
    expect(await sendTo(at('QUIT', silence))).toMatchObject({ ok: true });
    expect(await sendTo(at('QUIT', 'garbage'))).toMatchObject({ ok: true });
    expect(await sendTo(at('QUIT', cut))).toMatchObject({ ok: true });
  });

  test('closing waits for what is under way, gives it up after its time, and takes nothing more', async () => {
    const server = await openServer(at('MAIL', silence));
    const mail = openMail(server.port, { limits: { closeMs: 100 } });
    const sending = mail.send(mailTo([A]));
    await vi.waitFor(() => expect(server.lines.length).toBeGreaterThan(3));
    await mail.close();
    expect(await sending).toEqual({ ok: false, failure: 'CONNECT', message: NO_CONNECTION });
    expect(await mail.send(mailTo([A]))).toMatchObject({ ok: false, failure: 'CONNECT' });
    expect(server.connections).toBe(1);
  });
});

test('no result tells the password, whatever the server sends back', async () => {
  for (const result of [await sendTo({ mechanisms: ['PLAIN'], ...at('MESSAGE', cut) }), await sendTo(at('MAIL', 'x'))]) {
    expect(JSON.stringify(result)).not.toContain(SMTP_PASS);
  }
});
