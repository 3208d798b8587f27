import type { Trigger } from './trigger.ts';

export const INBOX_ITEM_KINDS = ['EVENT', 'CHANNEL_FAILING', 'CHANNEL_DISABLED', 'SOURCE_SILENT'] as const;
export type InboxItemKind = (typeof INBOX_ITEM_KINDS)[number];

export const INBOX_REASONS = ['SUBSCRIBED', 'DEFAULT', 'NOTICE'] as const;
export type InboxReason = (typeof INBOX_REASONS)[number];

export interface InboxCounts {
  unread: number;
  unseen: number;
}

/** Which items: all given parts hold. `archived` absent or false: those not archived; true: only those archived. */
export interface InboxFilter {
  projectId?: string | null;
  trigger?: readonly Trigger[] | null;
  taskName?: string | null;
  unreadOnly?: boolean | null;
  archived?: boolean | null;
}

/** What a user does to items, and which columns say so. Reading also marks seen; what an operation does not alter is no change. */
export const INBOX_OPERATIONS = {
  SEEN: { alters: 'seen_at IS NULL', set: 'seen_at = $2::timestamptz' },
  READ: { alters: 'read_at IS NULL', set: 'read_at = $2::timestamptz, seen_at = coalesce(i.seen_at, $2::timestamptz)' },
  UNREAD: { alters: 'read_at IS NOT NULL', set: 'read_at = NULL' },
  ARCHIVE: { alters: 'archived_at IS NULL', set: 'archived_at = $2::timestamptz' },
  UNARCHIVE: { alters: 'archived_at IS NOT NULL', set: 'archived_at = NULL' },
} as const;

export type InboxOperation = keyof typeof INBOX_OPERATIONS;
