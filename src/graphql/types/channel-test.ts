import type { TestCaller, TestResult } from '../../service/test-sends.ts';
import { builder } from '../builder.ts';
import { type Context, viewerOf } from '../context.ts';
import { given } from '../given.ts';
import { readId, readOptionalId } from '../ids.ts';
import { ChannelConfigInput } from './channel-config.ts';

const TestChannelInput = builder.inputType('TestChannelInput', { fields: (t) => ({ id: t.id({ required: true }) }) });
const TestChannelConfigInput = builder.inputType('TestChannelConfigInput', {
  description: 'channelId: an edited config of a saved channel, whose stored secrets fill in what is masked or left out, by the rules of updateChannel.',
  fields: (t) => ({ projectId: t.id(), channelId: t.id(), config: t.field({ type: ChannelConfigInput, required: true }) }),
});

const ChannelTestPayload = builder.objectRef<TestResult>('ChannelTestPayload').implement({
  description: 'A receiver that refuses is a result, not an error.',
  fields: (t) => ({
    success: t.exposeBoolean('success'),
    statusCode: t.exposeInt('statusCode', { nullable: true }),
    error: t.exposeString('error', { nullable: true }),
    responseBody: t.exposeString('responseBody', { nullable: true }),
    durationMs: t.exposeInt('durationMs'),
  }),
});

function callerOf(context: Context): TestCaller {
  return { viewer: viewerOf(context), address: context.address };
}

builder.mutationFields((t) => ({
  testChannel: t.field({
    type: ChannelTestPayload,
    description: 'Sends the canned z4j.test payload through a saved channel.',
    args: { input: t.arg({ type: TestChannelInput, required: true }) },
    resolve: (_root, { input }, context) => context.api.testSends.testChannel(callerOf(context), { id: readId('Channel', input.id, 'id') }),
  }),
  testChannelConfig: t.field({
    type: ChannelTestPayload,
    description: 'The same for a config that is not saved.',
    args: { input: t.arg({ type: TestChannelConfigInput, required: true }) },
    resolve: (_root, { input }, context) => {
      const ids = {
        projectId: readOptionalId('Project', input.projectId, 'projectId'),
        channelId: readOptionalId('Channel', input.channelId, 'channelId'),
      };
      return context.api.testSends.testChannelConfig(callerOf(context), given({ ...ids, config: input.config }));
    },
  }),
}));
