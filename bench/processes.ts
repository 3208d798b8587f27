import { type ChildProcess, fork, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** A server process under measurement. */
export interface ServerProcess {
  url: string;
  pid: number;
  /** From spawning it to the first /readyz that says so. */
  startMs: number;
  stop(): Promise<void>;
}

const MAIN = join(import.meta.dirname, '../src/main.ts');
const START_DEADLINE_MS = 60_000;

/** Starts the server as README says and waits until it is ready. */
export async function startServer(env: Record<string, string>): Promise<ServerProcess> {
  const port = await freePort();
  const url = `http://127.0.0.1:${String(port)}`;
  const startedAt = performance.now();
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env['PATH'], NODE_OPTIONS: process.env['SERVER_NODE_OPTIONS'] ?? '', PORT: String(port), LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  while (!(await isReady(url))) {
    if (child.exitCode !== null || performance.now() - startedAt > START_DEADLINE_MS) throw new Error('the server did not start');
    await pause(10);
  }
  return { url, pid: child.pid ?? 0, startMs: performance.now() - startedAt, stop: () => end(child) };
}

/** A child that answers each message with one message. */
export interface Peer {
  first: Promise<Record<string, unknown>>;
  ask(message: string): Promise<Record<string, unknown>>;
  stop(): Promise<void>;
}

export function startPeer(file: string, args: string[] = []): Peer {
  const child = fork(join(import.meta.dirname, file), args, { serialization: 'advanced' });
  const next = (): Promise<Record<string, unknown>> =>
    new Promise((resolve) => child.once('message', (message) => resolve(message as Record<string, unknown>)));
  return {
    first: next(),
    ask: async (message) => {
      const answer = next();
      child.send(message);
      return await answer;
    },
    stop: () => end(child),
  };
}

/** CPU time in milliseconds that a process, or every process of that name, has used so far. */
export function cpuMs(of: { pid: number } | { name: string }): number {
  const pids = 'pid' in of ? [String(of.pid)] : readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  let ticks = 0;
  for (const pid of pids) {
    const [comm, rest] = statOf(pid);
    if ('name' in of && comm !== of.name) continue;
    const fields = rest.split(' ');
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return ticks * 10;
}

/** Resident memory of a process in MiB. */
export function memoryMiB(pid: number): number {
  const [, kib = '0'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function statOf(pid: string): [string, string] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return [stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')), stat.slice(stat.lastIndexOf(')') + 2)];
  } catch {
    return ['', ''];
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok;
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
