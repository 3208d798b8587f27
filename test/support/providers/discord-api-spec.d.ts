// The package's schemas have no types of their own; only what is used here.
declare module 'discord-api-spec/zod' {
  import type { ZodMiniObject } from 'zod/mini';

  export const SlackWebhookSchema: ZodMiniObject;
  export const WebhookSlackEmbedSchema: ZodMiniObject;
}
