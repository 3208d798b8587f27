import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Sql } from '../../src/db/database.ts';
import { lockProjectsAlone } from '../../src/db/locks.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { bootstrapAdmin } from '../../src/service/bootstrap.ts';
import { insertProject, insertUser, openBench, refusalOf, rulesVersion } from './support.ts';

// What one change does while another, in a session of its own, is under way.

const bench = openBench('NO_JOBS');

/** Runs `meanwhile` inside a transaction and lets it start calls; once one of them waits for a lock, runs `then` and commits. */
async function holding(meanwhile: (tx: Sql) => Promise<void>, then: (tx: Sql) => Promise<unknown> = () => Promise.resolve()): Promise<void> {
  await bench.db.transaction(async (tx) => {
    await meanwhile(tx);
    const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await expect.poll(async () => await bench.db.sql.query(waiting)).toHaveLength(1);
    await then(tx);
  });
}

describe('rights', () => {
  test('are settled under the lock: an admin who is demoted while waiting for it changes nothing', async () => {
    const [admin, eve] = [await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [
      [bench.root, 'ADMIN'],
      [admin, 'ADMIN'],
    ]);
    let late: Promise<string> | undefined;
    await holding(
      async (tx) => {
        await lockProjectsAlone(tx, [projectId]);
        late = refusalOf(bench.setMember(admin, { projectId, userId: eve.userId, role: 'ADMIN' }));
      },
      async (tx) => await tx.query(`UPDATE memberships SET role = 'MEMBER' WHERE user_id = $1::uuid`, [admin.userId]),
    );
    expect(await late).toBe('FORBIDDEN');
    expect(await bench.db.prisma.membership.count({ where: { projectId } })).toBe(2);
  });

  test('are asked for before the lock: whoever has none waits for nobody, and nobody for them', async () => {
    const [member, stranger] = [await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [[member, 'MEMBER']]);
    await bench.db.transaction(async (tx) => {
      await lockProjectsAlone(tx, [projectId]);
      expect(await refusalOf(bench.updateProject(member, { id: projectId, name: 'Mine' }))).toBe('FORBIDDEN');
      expect(await refusalOf(bench.leaveProject(stranger, { projectId }))).toBe('NOT_FOUND projectId');
    });
  });
});

test('a channel waits for a subscription that begins to point to it, and then moves its project’s rules too', async () => {
  const ada = await insertUser(bench);
  const projectId = await insertProject(bench, [[ada, 'MEMBER']]);
  const { channel } = await bench.createChannel(ada, { name: 'mine', config: { webhook: { url: 'https://receiver.example/' } } });
  let renaming: Promise<unknown> | undefined;
  await holding(async (tx) => {
    await lockProjectsAlone(tx, [projectId]);
    const row = `INSERT INTO subscriptions (id, project_id, user_id, owner_id, trigger, in_app) VALUES ($1::uuid, $2::uuid, $3::uuid, $3::uuid, 'task.failed', true)`;
    const id = uuidv7();
    await tx.query(row, [id, projectId, ada.userId]);
    await tx.query('INSERT INTO subscription_channels (subscription_id, channel_id) VALUES ($1::uuid, $2::uuid)', [id, channel.id]);
    renaming = bench.updateChannel(ada, { id: channel.id, name: 'renamed' });
  });
  await renaming;
  expect(await rulesVersion(bench, projectId)).toBe(2);
});

test('a user’s deletion waits for a project that the user joins, and then leaves it', async () => {
  const ada = await insertUser(bench);
  const projectId = await insertProject(bench, [[bench.root, 'ADMIN']]);
  let deletion: Promise<unknown> | undefined;
  await holding(async (tx) => {
    await lockProjectsAlone(tx, [projectId]);
    await tx.query(`INSERT INTO memberships (project_id, user_id, role) VALUES ($1::uuid, $2::uuid, 'MEMBER')`, [projectId, ada.userId]);
    deletion = bench.deleteUser(bench.root, { id: ada.userId });
  });
  await deletion;
  expect(await rulesVersion(bench, projectId)).toBe(2);
  expect(await bench.db.prisma.user.count({ where: { id: ada.userId } })).toBe(0);
});

test('the first admin waits for a user who is being made, and is not made then', async () => {
  await bench.db.prisma.user.deleteMany();
  let made: ReturnType<typeof bootstrapAdmin> | undefined;
  await holding(async (tx) => {
    await tx.query(`INSERT INTO users (id, email, name) VALUES ($1::uuid, 'first@example.com', 'First')`, [uuidv7()]);
    made = bootstrapAdmin(bench.db, { admin: null, now: new Date(), newId: uuidv7, randomBytes });
  });
  expect(await made).toBeNull();
  expect(await bench.db.prisma.user.count()).toBe(1);
});
