import type { Sql } from './database.ts';

/** Names this database: feed cursors made on another one, or on a database since replaced, are told apart by it. Made once, at the first start. */
export async function readEpoch(sql: Sql): Promise<string> {
  await sql.query('INSERT INTO instance (id, epoch) VALUES (1, gen_random_uuid()) ON CONFLICT DO NOTHING');
  const [row] = await sql.query<{ epoch: string }>('SELECT epoch FROM instance WHERE id = 1');
  if (row === undefined) throw new Error('the instance row is missing');
  return row.epoch;
}
