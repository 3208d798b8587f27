// Prints the URL of a PostgreSQL 13 or later that tests may make databases on: TEST_DATABASE_URL, or one that lets us in on this machine. Prints nothing where there is none;
// fails where TEST_DATABASE_URL is set and is no such place.
import { userInfo } from 'node:os';
import pg from 'pg';

const VERSION_MIN = 130_000;
const { TEST_DATABASE_URL: given } = process.env;
const users = [...new Set([userInfo().username, 'postgres', 'root'])];
const guesses = users.flatMap((user) => [`postgres://${user}@127.0.0.1:5432/test`, `postgres://${user}@127.0.0.1:5432/postgres`]);

const found = await firstFit(given === undefined ? guesses : [given]);
if (found !== undefined) process.stdout.write(`${found}\n`);
else if (given !== undefined) {
  process.stderr.write('TEST_DATABASE_URL: no PostgreSQL 13 or later answers there that lets us make databases\n');
  process.exitCode = 1;
}

async function firstFit(urls: string[]): Promise<string | undefined> {
  for (const url of urls) if (await isFit(url)) return url;
  return undefined;
}

async function isFit(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ fit: boolean }>(
      `SELECT current_setting('server_version_num')::int >= ${VERSION_MIN} AND (rolcreatedb OR rolsuper) AS fit FROM pg_roles WHERE rolname = current_user`,
    );
    return rows[0]?.fit === true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
