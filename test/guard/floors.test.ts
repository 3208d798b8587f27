import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const DEPCRUISE = join(ROOT, 'node_modules/.bin/depcruise');
const CONFIG = join(ROOT, '.dependency-cruiser.js');

interface Violation {
  from: string;
  to: string;
  rule: { name: string };
}

/** Files that break one rule each: path, text, rule. */
const BREAKERS: [string, string, string][] = [
  ['src/lib/up.ts', `import '../domain/ok.ts';`, 'floor-lib'],
  ['src/lib/installed.ts', `import 'zod';`, 'domain-and-lib-need-nothing-installed'],
  ['src/domain/up.ts', `import '../channels/ok.ts';`, 'floor-domain'],
  ['src/domain/up-by-type.ts', `import type { Ok } from '../service/ok.ts'; export type Up = Ok;`, 'floor-domain'],
  ['src/domain/files.ts', `import 'node:fs';`, 'domain-is-pure'],
  ['src/domain/timers.ts', `import 'node:timers/promises';`, 'domain-is-pure'],
  ['src/channels/net.ts', `import '../net/ok.ts';`, 'floor-channels'],
  ['src/channels/db.ts', `import '../db/ok.ts';`, 'floor-channels'],
  ['src/net/db.ts', `import '../db/ok.ts';`, 'floor-net'],
  ['src/net/channels.ts', `import '../channels/ok.ts';`, 'floor-net'],
  ['src/db/channels.ts', `import '../channels/ok.ts';`, 'floor-db'],
  ['src/pipeline/net.ts', `import '../net/ok.ts';`, 'floor-pipeline'],
  ['src/pipeline/service.ts', `import '../service/ok.ts';`, 'floor-pipeline'],
  ['src/pipeline/undici.ts', `import 'undici';`, 'only-net-names-undici-or-nodemailer'],
  ['src/pipeline/graphql.ts', `import 'graphql';`, 'only-graphql-or-server-names-graphql'],
  ['src/service/yoga.ts', `import 'graphql-yoga';`, 'only-graphql-or-server-names-graphql'],
  ['src/service/app.ts', `import '../app.ts';`, 'floor-service'],
  ['src/service/driver.ts', `import 'pg';`, 'only-db-or-pipeline-names-database-drivers'],
  ['src/channels/http.ts', `import 'node:https';`, 'only-net-or-server-names-sockets'],
  ['src/graphql/undici.ts', `import 'undici';`, 'only-net-names-undici-or-nodemailer'],
  ['src/graphql/kind.ts', `import '../channels/webhook.ts';`, 'a-kind-is-named-in-the-registry-only'],
  ['src/server/mail.ts', `import 'nodemailer';`, 'only-net-names-undici-or-nodemailer'],
  ['src/server/channels.ts', `import '../channels/ok.ts';`, 'floor-server'],
  ['src/lib/cycle.ts', `import './cycle-back.ts';`, 'no-cycles'],
  ['src/main.ts', `import '../test/ok.ts';`, 'src-stands-alone'],
  ['src/gone.ts', `import './nowhere.ts';`, 'resolvable'],
];

const FILES: [string, string][] = [
  ...['domain', 'channels', 'net', 'db', 'service'].map((folder): [string, string] => [`src/${folder}/ok.ts`, 'export type Ok = 1;']),
  ['src/app.ts', ''],
  ['src/channels/webhook.ts', ''],
  ['src/lib/cycle-back.ts', `import './cycle.ts';`],
  ['test/ok.ts', ''],
  ...['zod', 'undici', 'nodemailer', 'graphql', 'graphql-yoga', 'pg'].map((name): [string, string] => [`node_modules/${name}/index.js`, '']),
];

let dir: string;
let violations: Violation[];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tocsin-floors-'));
  for (const [path, text] of [...FILES, ...BREAKERS]) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  const { stdout } = cruise(dir, ['--output-type', 'json', 'src']);
  violations = (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
}, 60_000);

afterAll(() => {
  rmSync(dir, { recursive: true });
});

test('the floors hold', () => {
  const { status, stdout } = cruise(ROOT, ['src', 'test', 'tools', 'bench', 'codegen.ts']);
  expect(status, stdout).toBe(0);
}, 60_000);

test.each(BREAKERS)('%s: %s breaks %s', (path, _text, rule) => {
  const broken = violations.filter(({ from, to }) => from === path || to === path);
  expect(broken.map((violation) => violation.rule.name)).toContain(rule);
});

test('a file that keeps to its floor is no violation', () => {
  expect(violations.filter(({ from }) => FILES.some(([path]) => path === from && !path.includes('cycle')))).toEqual([]);
});

test('the config of lint lets src/config.ts alone read the environment', () => {
  const biome = readFileSync(join(ROOT, 'biome.jsonc'), 'utf8');
  expect(biome).toContain('"noProcessEnv": "error"');
  expect(biome.match(/"src\/[^"]*"/g)).toEqual(['"src/config.ts"']);
});

function cruise(cwd: string, args: string[]): { status: number | null; stdout: string } {
  return spawnSync(process.execPath, [DEPCRUISE, '--config', CONFIG, ...args], { cwd, encoding: 'utf8' });
}
