import { expect, test } from 'vitest';
import type { HttpPort } from '../../src/domain/ports.ts';
import { prepareConfig } from '../../src/service/channel-config.ts';
import { CHAT_INPUTS } from '../channels/chat-fixtures.ts';
import { NO_HTTP, NO_MAIL } from '../channels/support.ts';

const NOW_MS = Date.UTC(2026, 10, 24);

/** A guard that lets nothing pass and says what it was asked for. */
function closedHttp(): HttpPort & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    post: () => Promise.reject(new Error('nothing is sent when a config is saved')),
    check: (url) => {
      asked.push(url);
      return Promise.resolve({ ok: false, message: 'must lead to a public address' });
    },
  };
}

test.each([
  ['webhook', 'url', 'https://example.com/'],
  ['slack', 'webhookUrl', CHAT_INPUTS.slack.webhookUrl],
  ['discord', 'webhookUrl', CHAT_INPUTS.discord.webhookUrl],
])('%s: the egress guard is asked before a URL is saved', async (kind, field, url) => {
  const http = closedHttp();
  await expect(prepareConfig({ http, mail: NO_MAIL }, { [kind]: { [field]: url } }, null, NOW_MS)).rejects.toMatchObject({
    code: 'BAD_USER_INPUT',
    issues: [{ path: `config.${kind}.${field}`, message: 'must lead to a public address' }],
  });
  expect(http.asked).toEqual([url]);
});

test('the guard is asked again where the stored URL is kept', async () => {
  const open: HttpPort = { ...closedHttp(), check: () => Promise.resolve({ ok: true }) };
  const { stored } = await prepareConfig({ http: open, mail: NO_MAIL }, { slack: CHAT_INPUTS.slack }, null, NOW_MS);
  const http = closedHttp();
  await expect(prepareConfig({ http, mail: NO_MAIL }, { slack: {} }, { type: 'slack', config: stored }, NOW_MS)).rejects.toMatchObject({
    code: 'BAD_USER_INPUT',
  });
  expect(http.asked).toEqual([CHAT_INPUTS.slack.webhookUrl]);
});

test("telegram's host is fixed: the guard is asked when it is sent to", async () => {
  const http = closedHttp();
  await prepareConfig({ http, mail: NO_MAIL }, { telegram: CHAT_INPUTS.telegram }, null, NOW_MS);
  expect(http.asked).toEqual([]);
});

test("email: the guard is asked for the server's name and port before they are saved", async () => {
  const asked: unknown[] = [];
  const mail = {
    check: (host: string, port: number) => {
      asked.push([host, port]);
      return Promise.resolve({ ok: false, message: 'must lead to a public address' } as const);
    },
  };
  const email = { smtpHost: 'Mail.Exämple.com', smtpPort: 587, smtpUser: 'me@example.com', smtpPass: 'x', toAddrs: ['a@example.com'] };
  await expect(prepareConfig({ http: NO_HTTP, mail }, { email }, null, NOW_MS)).rejects.toMatchObject({
    code: 'BAD_USER_INPUT',
    issues: [{ path: 'config.email.smtpHost', message: 'must lead to a public address' }],
  });
  expect(asked).toEqual([['mail.xn--exmple-cua.com', 587]]);
});
