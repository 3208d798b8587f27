import type { Database } from '../db/database.ts';
import type { WakeupBus } from '../db/wakeups.ts';
import type { FeedCursors } from '../domain/feed-cursor.ts';
import type { Clock } from '../lib/clock.ts';
import type { redeliver } from '../pipeline/deliveries.ts';
import type { DeliveryFeed } from '../pipeline/delivery-feed.ts';
import type { InboxFeed } from '../pipeline/inbox-feed.ts';
import type { Publisher } from '../pipeline/publish.ts';
import type { Channels } from '../service/channels.ts';
import type { Defaults } from '../service/defaults.ts';
import type { Members } from '../service/members.ts';
import type { Projects } from '../service/projects.ts';
import type { Subscriptions } from '../service/subscriptions.ts';
import type { TestSends } from '../service/test-sends.ts';
import type { Tokens } from '../service/tokens.ts';
import type { Users } from '../service/users.ts';

/** What the API translates to: made once, by app.ts. */
export interface Api {
  db: Database;
  clock: Clock;
  wakeups: WakeupBus;
  /** Base of links where a project has none of its own. */
  publicUrl: string;
  users: Users;
  projects: Projects;
  members: Members;
  tokens: Tokens;
  channels: Channels;
  testSends: TestSends;
  subscriptions: Subscriptions;
  defaults: Defaults;
  feedCursors: FeedCursors;
  inboxFeed: InboxFeed;
  publisher: Publisher;
  deliveryFeed: DeliveryFeed;
  /** What queueing deliveries again and cancelling them works on. */
  deliveryDeps: Parameters<typeof redeliver>[0];
}
