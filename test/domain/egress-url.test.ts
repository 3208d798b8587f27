import { describe, expect, test } from 'vitest';
import { parseHttpTarget, type UrlRefusal } from '../../src/domain/egress-url.ts';

describe('what is read out of a URL', () => {
  test.each([
    ['https://hooks.example.com', 'https://hooks.example.com', 'hooks.example.com', 443, '/'],
    ['HTTPS://HOOKS.Example.COM/x', 'https://hooks.example.com', 'hooks.example.com', 443, '/x'],
    ['https://hooks.example.com:443/x?y=1#z', 'https://hooks.example.com', 'hooks.example.com', 443, '/x?y=1'],
    ['https://hooks.example.com:8443/', 'https://hooks.example.com:8443', 'hooks.example.com', 8443, '/'],
    ['https://hooks.example.com?x', 'https://hooks.example.com', 'hooks.example.com', 443, '/?x'],
    ['https://bücher.example/ü', 'https://xn--bcher-kva.example', 'xn--bcher-kva.example', 443, '/%C3%BC'],
    ['https://xn--bcher-kva.example/', 'https://xn--bcher-kva.example', 'xn--bcher-kva.example', 443, '/'],
    ['https://xn--i-7iq.ws/', 'https://xn--i-7iq.ws', 'xn--i-7iq.ws', 443, '/'],
    ['https://hooks.example.com./', 'https://hooks.example.com.', 'hooks.example.com.', 443, '/'],
    ['https://hooks.example.com/a@b:c', 'https://hooks.example.com', 'hooks.example.com', 443, '/a@b:c'],
  ])('%s', (url, origin, host, port, path) => {
    expect(parseHttpTarget(url, false)).toEqual({ ok: true, target: { origin, isTls: true, host, isLiteral: false, port, path } });
  });

  test.each([
    ['https://127.0.0.1/', '127.0.0.1'],
    ['https://0x7f.1/', '127.0.0.1'],
    ['https://[::1]:8443/', '::1'],
    ['https://[0:0:0:0:0:FFFF:127.0.0.1]/', '::ffff:7f00:1'],
  ])('%s is a literal', (url, host) => {
    expect(parseHttpTarget(url, false)).toMatchObject({ ok: true, target: { host, isLiteral: true } });
  });

  test('http passes only where it is allowed', () => {
    expect(parseHttpTarget('http://hooks.example.com/', true)).toMatchObject({ ok: true, target: { isTls: false, port: 80 } });
    expect(parseHttpTarget('http://hooks.example.com/', false)).toMatchObject({ ok: false, reason: 'SCHEME' });
  });
});

describe('what is refused', () => {
  const REFUSED: readonly (readonly [UrlRefusal, string])[] = [
    ['CHARACTERS', ' https://hooks.example.com/'],
    ['CHARACTERS', 'https://hooks.example.com/\n'],
    ['CHARACTERS', 'https://hooks.exa\tmple.com/'],
    ['CHARACTERS', '\0https://hooks.example.com/'],
    ['CHARACTERS', 'https://hooks.example.com/\x7f'],
    ['CHARACTERS', 'https://hooks.exa\u200bmple.com/'],
    ['CHARACTERS', 'https://hooks.exa\u00admple.com/'],
    ['CHARACTERS', 'https://hooks.example.com/\u00a0'],
    ['CHARACTERS', 'https://hooks.example.com/\u202e'],
    ['CHARACTERS', 'https://hooks.example.com/\ud800'],
    ['CHARACTERS', 'https:\\\\hooks.example.com\\'],
    ['CHARACTERS', 'https://hooks.example.com/?\\'],
    ['SCHEME', 'ftp://hooks.example.com/'],
    ['SCHEME', 'wss://hooks.example.com/'],
    ['SCHEME', 'javascript:alert(1)'],
    ['FORM', ''],
    ['FORM', 'hooks.example.com'],
    ['FORM', '//hooks.example.com/'],
    ['FORM', 'https:hooks.example.com/'],
    ['FORM', 'https:/hooks.example.com/'],
    ['FORM', 'https:///hooks.example.com/'],
    ['FORM', 'https://'],
    ['FORM', 'https://:443/'],
    ['FORM', 'https://[fe80::1%25eth0]/'],
    ['FORM', 'https://hooks.example.com:65536/'],
    ['FORM', 'https://1.2.3.4.5/'],
    ['FORM', 'https://xn--a/'],
    ['FORM', 'https://hooks.xn--0000h.example.com/'],
    ['USERINFO', 'https://user@hooks.example.com/'],
    ['USERINFO', 'https://user:pass@hooks.example.com/'],
    ['USERINFO', 'https://@hooks.example.com/'],
    ['USERINFO', 'https://:@hooks.example.com/'],
    ['USERINFO', 'https://a@b@hooks.example.com'],
    ['PORT', 'https://hooks.example.com:0/'],
    ['PORT', 'https://hooks.example.com:25/'],
    ['PORT', 'https://hooks.example.com:00022/'],
    ['PORT', 'https://hooks.example.com:6697/'],
    ['PORT', 'https://hooks.example.com:10080/'],
  ];

  test.each(REFUSED)('%s: %j', (reason, url) => {
    const check = parseHttpTarget(url, false);
    expect(check).toMatchObject({ ok: false, reason });
    expect(JSON.stringify(check)).not.toContain('example.com');
  });
});
