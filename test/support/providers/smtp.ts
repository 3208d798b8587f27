import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

const KEY = readFileSync(new URL('./tls/provider.key', import.meta.url));
const CERT = readFileSync(new URL('./tls/provider.pem', import.meta.url));

/** A mail as the server took it. */
export interface TakenMail {
  from: string;
  to: string[];
  /** Headers and body, with CRLF, dots unstuffed. */
  data: string;
  isTls: boolean;
  /** Who logged in; null where nobody did. */
  user: string | null;
}

export type SmtpStep = 'GREETING' | 'EHLO' | 'HELO' | 'STARTTLS' | 'AUTH' | 'MAIL' | 'RCPT' | 'DATA' | 'MESSAGE' | 'QUIT';

/** What is answered: a reply without its line end, or what is done to the connection instead. */
export type SmtpAnswer = string | ((socket: Socket) => void);

export interface SmtpServerOptions {
  /** IMPLICIT: TLS from the first byte. STARTTLS: offered, and demanded before AUTH and MAIL. PLAIN: neither. */
  tls?: 'IMPLICIT' | 'STARTTLS' | 'PLAIN';
  /** What AUTH is offered with; nothing: it is not offered. MAIL is refused without it where it is. */
  mechanisms?: readonly string[];
  /** Further lines of the answer to EHLO. */
  extensions?: readonly string[];
  user?: string;
  pass?: string;
  /** Answers in place of the server's own rules; undefined leaves it to them. `line` is the command as it came, of MESSAGE the mail. */
  answer?: (step: SmtpStep, line: string) => SmtpAnswer | undefined;
}

/** A real mail server on loopback, strict in what it takes: CRLF, seven bits, lines of at most 998 characters, the order of commands. */
export interface SmtpServer {
  port: number;
  mails: TakenMail[];
  /** Every command line of all connections, and whether TLS was on. */
  lines: { line: string; isTls: boolean }[];
  /** The names that TLS clients asked for. */
  servernames: unknown[];
  connections: number;
  close(): Promise<void>;
}

export const SMTP_USER = 'tocsin@example.com';
export const SMTP_PASS = 'pässword "with" + signs';

/** Closes the connection. */
export const cut: SmtpAnswer = (socket) => socket.destroy();
/** Says nothing, for good. */
export const silence: SmtpAnswer = () => undefined;

export async function openSmtpServer(options: SmtpServerOptions = {}): Promise<SmtpServer> {
  const { tls = 'STARTTLS' } = options;
  const sockets = new Set<Socket>();
  const taken: Pick<SmtpServer, 'mails' | 'lines' | 'servernames' | 'connections'> = { mails: [], lines: [], servernames: [], connections: 0 };
  const server = createServer((socket) => {
    taken.connections += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    serve(tls === 'IMPLICIT' ? secured(socket, taken.servernames) : socket, options, taken);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(taken, {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  });
}

function secured(socket: Socket, servernames: unknown[]): TLSSocket {
  const upgraded = new TLSSocket(socket, { isServer: true, key: KEY, cert: CERT });
  upgraded.on('error', () => undefined);
  upgraded.once('secure', () => servernames.push(Reflect.get(upgraded, 'servername')));
  return upgraded;
}

/** One session, from the greeting on or, after STARTTLS, from EHLO on. */
function serve(socket: Socket, options: SmtpServerOptions, taken: Omit<SmtpServer, 'port' | 'close'>, isUpgraded = false): void {
  const { tls = 'STARTTLS', mechanisms = ['PLAIN', 'LOGIN'], extensions = [], user = SMTP_USER, pass = SMTP_PASS } = options;
  const isTls = isUpgraded || tls === 'IMPLICIT';
  let buffered = '';
  let loggedIn: string | null = null;
  let isGreeted = false;
  let mail: { from: string; to: string[] } | null = null;
  let isData = false;
  /** Takes the next line instead of the commands: the client's part of AUTH. */
  let next: ((line: string) => void) | null = null;

  socket.on('data', onData);
  if (!isUpgraded) reply('GREETING', '', () => '220 smtp.example.com ESMTP');

  function onData(chunk: Buffer): void {
    buffered += chunk.toString('latin1');
    for (;;) {
      const end = buffered.indexOf(isData ? '\r\n.\r\n' : '\r\n');
      if (end < 0) return;
      const text = buffered.slice(0, end);
      buffered = buffered.slice(end + (isData ? 5 : 2));
      if (isData) takeMessage(text);
      else if (next !== null) next(text);
      else takeCommand(text);
    }
  }

  /** Answers as the script says, or by the rules. */
  function reply(step: SmtpStep, line: string, rules: () => string): void {
    const scripted = options.answer?.(step, line);
    if (typeof scripted === 'function') scripted(socket);
    else write(scripted ?? rules());
  }

  function write(text: string): void {
    socket.write(`${text}\r\n`);
  }

  function takeMessage(text: string): void {
    isData = false;
    const data = text.replaceAll(/^\.\./gm, '.');
    reply('MESSAGE', data, () => {
      const isPlainAscii = /^[\r\n\t\x20-\x7e]*$/.test(data) && !/(?<!\r)\n|\r(?!\n)/.test(data);
      if (!isPlainAscii || data.split('\r\n').some((line) => line.length > 998)) return '554 5.6.0 not a mail that any server takes';
      taken.mails.push({ ...(mail ?? { from: '', to: [] }), data, isTls, user: loggedIn });
      mail = null;
      return '250 2.0.0 taken';
    });
  }

  function takeCommand(line: string): void {
    taken.lines.push({ line, isTls });
    const verb = line.split(' ', 1)[0]?.toUpperCase() ?? '';
    const command = COMMANDS[verb];
    if (command === undefined) write('500 5.5.2 what?');
    else command(line);
  }

  const COMMANDS: Readonly<Record<string, (line: string) => void>> = {
    EHLO: (line) =>
      reply('EHLO', line, () => {
        isGreeted = true;
        const offers = [
          tls === 'STARTTLS' && !isTls ? 'STARTTLS' : '',
          mechanisms.length > 0 && (isTls || tls === 'PLAIN') ? `AUTH ${mechanisms.join(' ')}` : '',
          ...extensions,
        ];
        return ['smtp.example.com', ...offers.filter((offer) => offer !== ''), 'HELP']
          .map((offer, at, all) => `250${at === all.length - 1 ? ' ' : '-'}${offer}`)
          .join('\r\n');
      }),
    HELO: (line) => reply('HELO', line, () => '250 smtp.example.com'),
    STARTTLS: (line) => {
      const scripted = options.answer?.('STARTTLS', line);
      if (typeof scripted === 'function') {
        socket.off('data', onData);
        scripted(socket);
      } else if (scripted !== undefined || tls !== 'STARTTLS' || isTls) {
        write(scripted ?? '502 5.5.1 not here');
      } else {
        socket.off('data', onData);
        write('220 2.0.0 go on');
        serve(secured(socket, taken.servernames), options, taken, true);
      }
    },
    AUTH: (line) => reply('AUTH', line, () => startLogin(line)),
    MAIL: (line) =>
      reply('MAIL', line, () => {
        const from = /^MAIL FROM:<([^<>\s]*)>$/.exec(line)?.[1];
        if (from === undefined) return '501 5.5.4 no sender';
        if (!isGreeted || mail !== null || (tls === 'STARTTLS' && !isTls)) return '503 5.5.1 not now';
        if (mechanisms.length > 0 && loggedIn === null) return '530 5.7.0 log in first';
        mail = { from, to: [] };
        return '250 2.1.0 fine';
      }),
    RCPT: (line) =>
      reply('RCPT', line, () => {
        const to = /^RCPT TO:<([^<>\s]+)>$/.exec(line)?.[1];
        if (to === undefined) return '501 5.5.4 no recipient';
        if (mail === null) return '503 5.5.1 not now';
        mail.to.push(to);
        return '250 2.1.5 fine';
      }),
    DATA: (line) =>
      reply('DATA', line, () => {
        if (mail === null || mail.to.length === 0) return '503 5.5.1 nobody to send to';
        isData = true;
        return '354 go on';
      }),
    RSET: () => {
      mail = null;
      write('250 2.0.0 forgotten');
    },
    QUIT: (line) =>
      reply('QUIT', line, () => {
        setImmediate(() => socket.end());
        return '221 2.0.0 bye';
      }),
  };

  function startLogin(line: string): string {
    const [, mechanism = '', initial = ''] = line.split(' ');
    if (!mechanisms.includes(mechanism)) return '504 5.5.4 not that one';
    if (mechanism === 'PLAIN') return finishLogin(decode(initial).split('\0').slice(1));
    next = (name) => {
      next = (word) => {
        next = null;
        write(finishLogin([decode(name), decode(word)]));
      };
      write('334 UGFzc3dvcmQ6');
    };
    return '334 VXNlcm5hbWU6';
  }

  function finishLogin([name = '', word = '']: string[]): string {
    if (name !== user || word !== pass) return `535 5.7.8 no such user, or not with ${word}`;
    loggedIn = name;
    return '235 2.7.0 welcome';
  }
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
