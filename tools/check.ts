// npm run check: everything that can be said of the code without running it, as one list. Runs all of it, prints what is wrong under each, exits 1 where anything is.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const SCHEMA = join(ROOT, 'schema.graphql');

interface Check {
  title: string;
  /** The commands, by the names of their binaries in node_modules/.bin. */
  run: () => Promise<Result>;
}

interface Result {
  isRight: boolean;
  output: string;
}

/** What others read: made before they look at it. */
const GENERATED: Check[] = [
  { title: 'database client', run: () => command('prisma', ['generate']) },
  { title: 'schema and operations', run: checkSchemaFile },
];

const CHECKS: Check[] = [
  { title: 'format and plain lint', run: () => command('biome', ['check', '--error-on-warnings', '.']) },
  { title: 'floors', run: () => command('depcruise', ['src', 'test', 'tools', 'bench', 'codegen.ts']) },
  { title: 'types', run: () => command('tsc', ['--project', '.']) },
  { title: 'typed lint', run: () => command('eslint', ['--max-warnings=0', '.']) },
  { title: 'dead code', run: () => command('knip', ['--no-progress', '--no-config-hints']) },
];

const results: boolean[] = [];
for (const check of GENERATED) results.push(await perform(check));
const waiting = [...CHECKS];
await Promise.all([worker(), worker()]);
const wrong = results.filter((isRight) => !isRight).length;
process.stdout.write(wrong === 0 ? '\nAll is well.\n' : `\n${wrong} of ${results.length} checks found something.\n`);
process.exitCode = wrong === 0 ? 0 : 1;

async function worker(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) results.push(await perform(next));
}

async function perform({ title, run }: Check): Promise<boolean> {
  const startedMs = performance.now();
  const { isRight, output } = await run();
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  process.stdout.write(`${isRight ? '✓' : '✗'} ${title.padEnd(26)} ${seconds.padStart(5)} s\n`);
  if (!isRight) process.stdout.write(`${output.trimEnd().replaceAll(/^/gm, '    ')}\n`);
  return isRight;
}

/** schema.graphql must be fresh. The operations that tests send are typed anew by it; one that it does not allow is named. */
async function checkSchemaFile(): Promise<Result> {
  const before = existsSync(SCHEMA) ? readFileSync(SCHEMA, 'utf8') : '';
  const made = await command('node', ['codegen.ts']);
  if (!made.isRight || readFileSync(SCHEMA, 'utf8') === before) return made;
  return { isRight: false, output: 'schema.graphql was not what src/graphql makes. It is made anew now: look at what changed and commit it.' };
}

function command(binary: string, args: string[]): Promise<Result> {
  return new Promise((resolve) => {
    const child = spawn(join(ROOT, 'node_modules/.bin', binary), args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => resolve({ isRight: false, output: `${binary}: ${error.message}` }));
    child.on('close', (code) => resolve({ isRight: code === 0, output }));
  });
}
