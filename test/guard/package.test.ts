import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

interface Manifest {
  engines: { node: string };
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}

interface Lock {
  packages: Record<string, { version?: string; resolved?: string; integrity?: string; link?: boolean }>;
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;
const direct = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
const installed = Object.entries(lock.packages).filter(([path]) => path !== '');

test.each(direct)('%s is wanted at one exact version, which is the one in the lock file', (name, version) => {
  expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.-]+)?$/);
  expect(lock.packages[`node_modules/${name}`]?.version).toBe(version);
});

test('the lock file names no registry: npm asks the one that it is set up for', () => {
  expect(installed.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([]);
});

test('the lock file knows the checksum of every package', () => {
  expect(installed.filter(([, { integrity }]) => integrity === undefined).map(([path]) => path)).toEqual([]);
});

test('the Node that runs the tests is the one of the lock file', () => {
  expect(process.versions.node).toBe(manifest.devDependencies['node']);
});

// Put together from parts, so that this file does not find itself.
const HOSTS_AND_PATHS: [string, RegExp][] = [
  ['a path of some machine', new RegExp(`(^|[^\\w.])/(${['work', 'root', 'home', 'Users'].join('|')})/[\\w.]`)],
  ['a registry', new RegExp(['registry', '(npmjs|yarnpkg)', '(org|com)'].join('\\.'))],
];

test.each(HOSTS_AND_PATHS)('no file names %s', (_what, pattern) => {
  const found = sourceFiles().filter((path) => pattern.test(readFileSync(join(ROOT, path), 'utf8')));
  expect(found).toEqual([]);
});

/** Everything that is not made or installed, as paths from the root. */
function sourceFiles(dir = ''): string[] {
  return readdirSync(join(ROOT, dir), { withFileTypes: true }).flatMap((entry) => {
    const path = dir === '' ? entry.name : `${dir}/${entry.name}`;
    if (NOT_SOURCE.has(entry.name)) return [];
    if (entry.isDirectory()) return sourceFiles(path);
    return entry.isFile() && !/\.(png|jpg|ico|woff2?|gz|log)$/.test(entry.name) ? [path] : [];
  });
}

const NOT_SOURCE = new Set(['.git', 'node_modules', 'generated', 'data', 'coverage', 'dist']);
