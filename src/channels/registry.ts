import type { ChannelKind } from './channel.ts';
import { discord } from './discord.ts';
import { email } from './email.ts';
import { slack } from './slack.ts';
import { telegram } from './telegram.ts';
import { webhook } from './webhook.ts';

/** Every kind of channel that is built, by the name that the database and the API's inputs give it. */
export const CHANNELS = { webhook, email, slack, telegram, discord } satisfies Record<string, ChannelKind>;

export type ChannelKindName = keyof typeof CHANNELS;

/** The kind of that name; null where this version has none. */
export function channelOf(kind: string): ChannelKind | null {
  return isKind(kind) ? CHANNELS[kind] : null;
}

function isKind(kind: string): kind is ChannelKindName {
  return Object.hasOwn(CHANNELS, kind);
}
