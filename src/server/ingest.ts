import type { IncomingMessage, ServerResponse } from 'node:http';
import { type RejectedEvent, readEvents } from '../domain/event.ts';
import type { Viewer } from '../domain/viewer.ts';
import type { Clock } from '../lib/clock.ts';
import { AppError, badInput } from '../lib/error.ts';
import type { Publisher } from '../pipeline/publish.ts';
import type { Log } from './log.ts';
import { HttpError, readBody, sendError, sendJson } from './reply.ts';

/** Finds the project that a request is about, checking that the viewer may publish there. */
export type FindProject = (viewer: Viewer, slug: string | null) => Promise<string>;

interface IngestDeps {
  publisher: Pick<Publisher, 'publish'>;
  findProject: FindProject;
  clock: Clock;
  log: Log;
  bodyBytesMax: number;
}

/** `POST /v1/events` (spec 2): a JSON array or NDJSON of events, answered when they are committed. */
export function createIngest({
  publisher,
  findProject,
  clock,
  log,
  bodyBytesMax,
}: IngestDeps): (req: IncomingMessage, res: ServerResponse, viewer: Viewer) => Promise<void> {
  return async (req, res, viewer) => {
    const query = readQuery(req.url ?? '');
    const projectId = await findProject(viewer, query.project);
    const parsed = parse(await readBody(req, bodyBytesMax), req.headers['content-type']);
    const batch = readEvents(parsed.inputs, clock.now());
    if (!batch.ok) throw badInput(batch.issues);
    const rejected = batch.rejected.map((problem) => located(problem, parsed));
    if (rejected.length > 0 && !query.skipsInvalid) {
      sendError(res, new AppError('BAD_USER_INPUT', 'some events are not valid, and none was taken'), log, { issues: rejected.slice(0, ISSUES_MAX) });
      return;
    }
    const result = await publisher.publish(projectId, batch.events);
    sendJson(res, 200, query.skipsInvalid ? { ...result, rejected } : result);
  };
}

const ISSUES_MAX = 100;

/** What a body held: its events, read as JSON but not checked. */
interface Parsed {
  inputs: unknown[];
  /** Line numbers of an NDJSON body, from 1, by index; null for a JSON array. */
  lines: number[] | null;
  /** Indexes of lines that are no JSON. */
  broken: Set<number>;
}

/** A problem as it is answered: `line` only with NDJSON. */
type LocatedProblem = RejectedEvent & { line?: number };

function located(problem: RejectedEvent, { lines, broken }: Parsed): LocatedProblem {
  const line = lines?.[problem.index];
  const message = broken.has(problem.index) ? 'is not JSON' : problem.message;
  return line === undefined ? { ...problem, message } : { index: problem.index, line, path: problem.path, message };
}

function parse(body: Buffer, contentType: string | undefined): Parsed {
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase();
  // A byte that is no UTF-8 becomes U+FFFD: it must not stop a batch.
  const text = body.toString('utf8').replace(/^\ufeff/, '');
  if (type === 'application/json') return { inputs: parseArray(text), lines: null, broken: new Set() };
  if (type === 'application/x-ndjson') return parseLines(text);
  throw new HttpError(415, 'content-type must be application/json or application/x-ndjson');
}

function parseArray(text: string): unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badInput([{ path: '', message: 'the body is not JSON' }]);
  }
  if (!Array.isArray(value)) throw badInput([{ path: '', message: 'the body must be a JSON array of events' }]);
  return value;
}

function parseLines(text: string): Parsed {
  const parsed = { inputs: [] as unknown[], lines: [] as number[], broken: new Set<number>() };
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    parsed.lines.push(index + 1);
    try {
      parsed.inputs.push(JSON.parse(line));
    } catch {
      parsed.broken.add(parsed.inputs.length);
      parsed.inputs.push(undefined);
    }
  }
  return parsed;
}

function readQuery(url: string): { project: string | null; skipsInvalid: boolean } {
  const at = url.indexOf('?');
  if (at < 0) return { project: null, skipsInvalid: false };
  const query = new URLSearchParams(url.slice(at + 1));
  const invalid = query.get('invalid');
  if (invalid !== null && invalid !== 'skip') throw badInput([{ path: 'invalid', message: 'must be skip, or left out' }]);
  return { project: query.get('project'), skipsInvalid: invalid === 'skip' };
}

/** An agent's token names its project by itself; a user's names it by slug, which `bySlug` looks up and checks. */
export function createFindProject(bySlug: (viewer: Viewer, slug: string) => Promise<string>): FindProject {
  return async (viewer, slug) => {
    if (slug !== null) return await bySlug(viewer, slug);
    if (viewer.kind === 'agent') return viewer.projectId;
    throw badInput([{ path: 'project', message: "must be given with a user's token: ?project=<slug>" }]);
  };
}
