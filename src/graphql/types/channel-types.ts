import type { ChannelKind } from '../../channels/channel.ts';
import { FIELD_KINDS } from '../../channels/field.ts';
import { type FieldInfo, fieldInfos } from '../../channels/field-info.ts';
import { CHANNELS } from '../../channels/registry.ts';
import { builder } from '../builder.ts';
import { ChannelTypeEnum } from './channel-config.ts';

// What the registry says of each kind of channel, for the forms of dashboards.

const ChannelFieldKindEnum = builder.enumType('ChannelFieldKind', { values: FIELD_KINDS });

const ChannelFieldInfoType = builder.objectRef<FieldInfo>('ChannelFieldInfo').implement({
  fields: (t) => ({
    name: t.exposeString('name'),
    label: t.exposeString('label'),
    kind: t.expose('kind', { type: ChannelFieldKindEnum }),
    required: t.exposeBoolean('required'),
    secret: t.exposeBoolean('secret'),
    hint: t.exposeString('hint', { nullable: true }),
    pattern: t.exposeString('pattern', { nullable: true }),
    maxLength: t.exposeInt('maxLength', { nullable: true }),
    defaultValue: t.expose('defaultValue', { type: 'JSON', nullable: true }),
    choices: t.exposeStringList('choices', { nullable: true }),
  }),
});

const ChannelTypeInfoType = builder.objectRef<ChannelKind>('ChannelTypeInfo').implement({
  fields: (t) => ({
    type: t.field({ type: ChannelTypeEnum, resolve: ({ kind }) => kind }),
    title: t.exposeString('title'),
    docsUrl: t.exposeString('docsUrl', { nullable: true }),
    fields: t.field({ type: [ChannelFieldInfoType], resolve: (kind) => fieldInfos(kind) }),
  }),
});

builder.queryFields((t) => ({
  channelTypes: t.field({
    type: [ChannelTypeInfoType],
    description: 'What each kind of channel asks for, enough to draw its form.',
    resolve: () => Object.values(CHANNELS),
  }),
}));
