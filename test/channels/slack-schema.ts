import { fileURLToPath } from 'node:url';
import type { KnownBlock } from '@slack/types';
import { Ajv } from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';
import { asRecord } from '../../src/lib/json.ts';

/** What an incoming webhook takes, in Slack's own types. */
export interface SlackWebhookMessage {
  text: string;
  blocks: KnownBlock[];
  unfurl_links: boolean;
  unfurl_media: boolean;
}

/** A check against Slack's own types (npm @slack/types), made a JSON schema; gives what is wrong, null where nothing is. */
export function slackSchemaCheck(): (message: unknown) => string | null {
  const schema = createGenerator({
    path: fileURLToPath(import.meta.url),
    type: 'SlackWebhookMessage',
    tsconfig: fileURLToPath(new URL('../../tsconfig.json', import.meta.url)),
    skipTypeCheck: true,
  }).createSchema('SlackWebhookMessage');
  const ajv = new Ajv({ strict: false });
  const isValid = ajv.compile<SlackWebhookMessage>(asRecord(schema));
  return (message) => (isValid(message) ? null : ajv.errorsText(isValid.errors));
}
