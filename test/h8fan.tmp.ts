import pg from 'pg';
import { migrate, pgConnection } from '/work/main/src/db/migrate.ts';
import { insertInboxItems } from '/work/main/src/pipeline/record-sql.ts';
import { uuidv7 } from '/work/main/src/lib/id.ts';
const url = 'postgres://root@127.0.0.1:5432/test'; const name = 'h8fan';
const adm = new pg.Client({ connectionString: url }); await adm.connect();
await adm.query(`drop database if exists ${name} with (force)`); await adm.query(`create database ${name}`);
const u2 = url.replace(/test$/, name);
const c = new pg.Client({ connectionString: u2 }); await c.connect(); await migrate(pgConnection(c), '/work/main/prisma/migrations');
if (process.argv[2]) await c.query(process.argv[2]);
const p = uuidv7();
await c.query(`insert into projects (id, slug, name) values ($1::uuid,'p','p')`, [p]);
const rows = (await c.query<any>(`WITH made AS (
       INSERT INTO users (id, email, name) SELECT gen_random_uuid(), 'fan-' || n || '@example.com', 'Fan ' || n FROM generate_series(1, 10000) AS n RETURNING id
     ) INSERT INTO inboxes (user_id) SELECT id FROM made returning user_id`)).rows;
await c.query('ANALYZE');
const users = rows.map((r: any) => r.user_id);
await c.query(`set client_min_messages=log`); await c.query('set log_statement_stats=on');
const S: Record<string, number[]> = {}; let cur = ''; let acc = 0;
c.on('notice', (n: any) => { const m = /([\d.]+) s user, ([\d.]+) s system, ([\d.]+) s elapsed/.exec(n.detail ?? ''); if (m) acc += (Number(m[1]) + Number(m[2])) * 1000; });
for (let i = 0; i < 20; i++) {
  await c.query('BEGIN');
  const q = { query: async (t: string, v?: any) => { cur = t.trim().slice(0, 30); acc = 0; const r = (await c.query({ text: t, values: v, name: cur })).rows as any; (S[cur] ??= []).push(acc); return r; } };
  const e = uuidv7();
  await insertInboxItems(q, users.map((userId: string) => ({ userId, reason: 'SUBSCRIBED', subscriptionId: p, suppressed: null, projectId: p, eventRef: e })) as any, new Date());
  acc = 0; await c.query('COMMIT'); (S['commit'] ??= []).push(acc);
}
for (const [n, xs] of Object.entries(S)) { console.log(n.padEnd(34), xs.map(x=>x.toFixed(0)).join(' ')); xs.sort((a, b) => a - b); console.log('CPU ms min', xs[0]!.toFixed(1), 'p50', xs[Math.floor(xs.length/2)]!.toFixed(1)); }
const hot = await c.query(`select relname, n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname='inboxes'`); console.log(hot.rows);
await c.end(); await adm.query(`drop database ${name}`); await adm.end();
