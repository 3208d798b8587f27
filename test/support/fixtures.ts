import type { Database } from '../../src/db/database.ts';
import type { AcceptedEvent } from '../../src/domain/event.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { event } from './rules.ts';

/** Rows written straight to the database, for tests of what works on them. Each gives the new row's id. */

async function addUser(db: Database, name = `user-${uuidv7().slice(-8)}`): Promise<string> {
  const id = uuidv7();
  await db.prisma.user.create({ data: { id, email: `${name}@example.com`, name, inbox: { create: {} } } });
  return id;
}

export async function addProject(db: Database, slug = `project-${uuidv7().slice(-8)}`): Promise<string> {
  const id = uuidv7();
  await db.prisma.project.create({ data: { id, slug, name: slug } });
  return id;
}

export async function addMember(db: Database, projectId: string, role: 'MEMBER' | 'ADMIN' = 'MEMBER'): Promise<string> {
  const userId = await addUser(db);
  await db.prisma.membership.create({ data: { projectId, userId, role } });
  return userId;
}

/** A channel that nothing real is sent to: for scripted attempts. */
export async function addChannel(db: Database, owner: { projectId: string } | { userId: string }, name = `channel-${uuidv7().slice(-8)}`): Promise<string> {
  const id = uuidv7();
  const ownerId = 'projectId' in owner ? owner.projectId : owner.userId;
  await db.prisma.channel.create({ data: { id, ownerId, ...owner, name, type: 'webhook', config: {}, secrets: '', health: { create: {} } } });
  return id;
}

interface SubscriptionFixture {
  projectId: string;
  userId?: string;
  trigger?: string;
  inApp?: boolean;
  channelIds?: string[];
  cooldownSeconds?: number;
  cooldownBy?: string;
  taskNamePattern?: string;
  mutedUntil?: Date;
  isDefaultCopy?: boolean;
}

export async function addSubscription(db: Database, { channelIds = [], ...given }: SubscriptionFixture): Promise<string> {
  const id = uuidv7();
  await db.prisma.notificationSubscription.create({
    data: {
      id,
      ownerId: given.userId ?? given.projectId,
      trigger: 'task.failed',
      inApp: given.userId !== undefined,
      ...given,
      channels: { create: channelIds.map((channelId) => ({ channelId })) },
    },
  });
  await bumpRules(db, given.projectId);
  return id;
}

/** What every service does when it changes a rule. */
export async function bumpRules(db: Database, projectId: string): Promise<void> {
  await db.prisma.project.update({ where: { id: projectId }, data: { rulesVersion: { increment: 1 } } });
}

let eventNumber = 0;

/** A failed task, with an id of its own unless it is given one. */
export function failedTask(given: Partial<AcceptedEvent> = {}): AcceptedEvent {
  eventNumber += 1;
  return event({ id: `event-${String(eventNumber)}`, taskId: `task-${String(eventNumber)}`, taskName: 'billing.run', ...given });
}
