import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Sql } from '../../src/db/database.ts';
import { lockProjectsAlone } from '../../src/db/locks.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { sweep } from '../../src/pipeline/maintenance.ts';
import { createSubscriptionIndexes, type SubscriptionIndexes } from '../../src/pipeline/subscription-index.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';
import { addChannel, addMember, addProject, addSubscription } from '../support/fixtures.ts';
import { openPipeline, type TestPipeline } from '../support/pipeline.ts';
import { event } from '../support/rules.ts';

// Whatever changes, an index that takes in the changes is the same as one read anew.

const OTHERS = 40;

let database: TestDatabase;
let pipeline: TestPipeline;
let projectId: string;
let userId: string;
let channelId: string;
let mine: string;
let team: string;
let kept: SubscriptionIndexes;

beforeAll(async () => {
  database = await openTestDatabase();
  pipeline = await openPipeline(database);
});

afterAll(async () => {
  await pipeline.close();
  await database.drop();
});

beforeEach(async () => {
  const { db } = pipeline;
  projectId = await addProject(db);
  userId = await addMember(db, projectId);
  channelId = await addChannel(db, { projectId });
  for (let at = 0; at < OTHERS; at += 1) await addSubscription(db, { projectId, taskNamePattern: `other${String(at)}` });
  mine = await addSubscription(db, { projectId, userId, channelIds: [channelId] });
  team = await addSubscription(db, { projectId, channelIds: [channelId] });
  kept = createSubscriptionIndexes();
  expect(await matches(kept)).toHaveLength(4);
});

const EVENTS = [event({ taskName: 'billing.run', queue: 'q', priority: 3 }), event({ trigger: 'task.slow', taskName: 'billing.run' }), event()];

let rowsRead = 0;

function counting(tx: Sql): Sql {
  return {
    query: async <Row>(text: string, values?: readonly unknown[]) => {
      const rows = await tx.query<Row>(text, values);
      rowsRead += rows.length;
      return rows;
    },
  };
}

/** What the project's subscriptions say of some events, by these indexes. */
async function matches(indexes: SubscriptionIndexes): Promise<unknown[]> {
  rowsRead = 0;
  return await pipeline.db.transaction(async (tx) => {
    const [project] = await tx.query<{ version: number }>('SELECT rules_version AS version FROM projects WHERE id = $1::uuid', [projectId]);
    const index = await indexes.at(counting(tx), projectId, project?.version ?? 0);
    return EVENTS.flatMap((one) => index.match(one, Date.now()));
  });
}

/** A change as the services make it. */
async function change(text: string, ...values: unknown[]): Promise<void> {
  await pipeline.db.transaction(async (tx) => {
    await lockProjectsAlone(tx, [projectId]);
    await tx.query(text, values);
  });
}

const UPDATES = [
  `trigger = 'task.slow'`,
  'is_active = false',
  'in_app = true',
  'is_default_copy = true',
  'priority_min = 4',
  'priority_max = 2',
  `task_name_pattern = 'mail.*'`,
  `queue = 'other'`,
  'cooldown_seconds = 60',
  `cooldown_by = 'TASK_NAME'`,
  `muted_until = now() + interval '1 hour'`,
];

const CHANGES: [string, () => Promise<void>][] = [
  ...UPDATES.map<[string, () => Promise<void>]>((set) => [
    `a subscription’s ${set}`,
    () => change(`UPDATE subscriptions SET ${set} WHERE id = $1::uuid`, team),
  ]),
  [
    'a new subscription',
    () =>
      change(
        `INSERT INTO subscriptions (id, project_id, owner_id, trigger, in_app) VALUES ($1::uuid, $2::uuid, $2::uuid, 'task.failed', false)`,
        uuidv7(),
        projectId,
      ),
  ],
  ['a subscription that is deleted', () => change('DELETE FROM subscriptions WHERE id = $1::uuid', team)],
  [
    'a channel that is attached',
    async () => change('INSERT INTO subscription_channels VALUES ($1::uuid, $2::uuid)', team, await addChannel(pipeline.db, { projectId })),
  ],
  ['a channel that is detached', () => change('DELETE FROM subscription_channels WHERE subscription_id = $1::uuid', team)],
  ['a channel that is renamed', () => change(`UPDATE channels SET name = 'renamed' WHERE id = $1::uuid`, channelId)],
  ['a channel that is switched off', () => change('UPDATE channels SET is_active = false WHERE id = $1::uuid', channelId)],
  ['a channel that is deleted', () => change('DELETE FROM channels WHERE id = $1::uuid', channelId)],
  ['a member who leaves', () => change('DELETE FROM memberships WHERE user_id = $1::uuid', userId)],
  ['a user who is deleted', () => change('DELETE FROM users WHERE id = $1::uuid', userId)],
];

test.each(CHANGES)('%s', async (_, make) => {
  const before = await matches(kept);
  await make();
  const after = await matches(kept);
  expect(rowsRead).toBeLessThan(10);
  expect(after).toEqual(await matches(createSubscriptionIndexes()));
  expect(rowsRead).toBeGreaterThanOrEqual(OTHERS);
  expect(after).not.toEqual(before);
});

test('a member who leaves and comes back', async () => {
  await change('DELETE FROM memberships WHERE user_id = $1::uuid', userId);
  expect(await matches(kept)).toHaveLength(2);
  await change(`INSERT INTO memberships (project_id, user_id, role) VALUES ($1::uuid, $2::uuid, 'MEMBER')`, projectId, userId);
  expect(await matches(kept)).toHaveLength(4);
});

test('what does not matter to matching is not read again', async () => {
  await change(`UPDATE subscriptions SET last_fired_at = now(), name = 'x', updated_at = now() WHERE id = $1::uuid`, mine);
  await change(`UPDATE channels SET config = '{"a": 1}', version = 2 WHERE id = $1::uuid`, channelId);
  await change(`UPDATE memberships SET role = 'ADMIN' WHERE user_id = $1::uuid`, userId);
  // The changes of the version at hand are read once more.
  expect(await pipeline.db.sql.query('SELECT subscription_id FROM rule_changes WHERE project_id = $1::uuid AND version > $2', [projectId, OTHERS + 2])).toEqual(
    [],
  );
  expect(await matches(kept)).toHaveLength(4);
});

test('an index that is further behind than changes are kept is read anew, and so is one of a database that was put back', async () => {
  await change('UPDATE projects SET rules_version = rules_version + 20000');
  await pipeline.db.sql.query('DELETE FROM rule_changes');
  await change('DELETE FROM subscriptions WHERE id = $1::uuid', team);
  await pipeline.db.sql.query('DELETE FROM rule_changes');
  expect(await matches(kept)).toHaveLength(2);
  await pipeline.db.sql.query('DELETE FROM subscriptions WHERE id = $1::uuid', [mine]);
  await pipeline.db.sql.query('UPDATE projects SET rules_version = 1 WHERE id = $1::uuid', [projectId]);
  expect(await matches(kept)).toEqual([]);
});

test('the sweep forgets changes that no index needs', async () => {
  const { db, jobs, wakeups } = pipeline;
  const run = () => sweep({ db, jobs, wakeups, now: Date.now, newId: uuidv7 });
  await run();
  expect((await run()).ruleChanges).toBe(0);
  await db.sql.query('UPDATE projects SET rules_version = rules_version + 10000 WHERE id = $1::uuid', [projectId]);
  await change('UPDATE subscriptions SET in_app = true WHERE id = $1::uuid', team);
  expect((await run()).ruleChanges).toBeGreaterThan(OTHERS);
  expect(await db.sql.query('SELECT subscription_id AS id FROM rule_changes WHERE project_id = $1::uuid', [projectId])).toEqual([{ id: team }]);
  await db.sql.query('DELETE FROM projects WHERE id = $1::uuid', [projectId]);
  expect((await run()).ruleChanges).toBe(1);
});
