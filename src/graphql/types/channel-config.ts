import type { ChannelKind } from '../../channels/channel.ts';
import { viewOf } from '../../channels/config.ts';
import type { FieldKind } from '../../channels/field.ts';
import { type FieldInfo, fieldInfos } from '../../channels/field-info.ts';
import { CHANNELS } from '../../channels/registry.ts';
import { builder } from '../builder.ts';

// The types of channels' configs, made of what the registry says: a kind of channel needs nothing here.

const KINDS: readonly ChannelKind[] = Object.values(CHANNELS);

export const ChannelTypeEnum = builder.enumType('ChannelType', {
  values: Object.fromEntries(KINDS.map(({ kind }) => [kind.toUpperCase(), { value: kind }])),
});

interface ConfigView {
  typeName: string;
  values: Readonly<Record<string, unknown>>;
}

/** A stored config as the API shows it: secrets as the mask. Null for a kind that this version does not know. */
export function configView(kind: string, config: unknown): ConfigView | null {
  const known = KINDS.find((candidate) => candidate.kind === kind);
  return known === undefined ? null : { typeName: configTypeName(known), values: viewOf(known.fields, config) };
}

function configTypeName({ typeName }: ChannelKind): string {
  return `${typeName}Config`;
}

interface HeaderShape {
  name: string;
  value: string;
}
const HttpHeader = builder
  .objectRef<HeaderShape>('HttpHeader')
  .implement({ fields: (t) => ({ name: t.exposeString('name'), value: t.exposeString('value') }) });
const HttpHeaderInput = builder.inputType('HttpHeaderInput', {
  fields: (t) => ({ name: t.string({ required: true }), value: t.string({ required: true }) }),
});

type OutputParam = 'String' | 'Int' | 'Boolean' | ['String'] | [typeof HttpHeader];
type InputParam = 'String' | 'Int' | 'Boolean' | ['String'] | [typeof HttpHeaderInput];

/** The API's types of a field's values, as they are read and as they are given. Kinds that no channel has yet come with their first channel. */
const FIELD_TYPES: Partial<Record<FieldKind, { output: OutputParam; input: InputParam }>> = {
  TEXT: { output: 'String', input: 'String' },
  URL: { output: 'String', input: 'String' },
  SECRET: { output: 'String', input: 'String' },
  INTEGER: { output: 'Int', input: 'Int' },
  BOOLEAN: { output: 'Boolean', input: 'Boolean' },
  TEXT_LIST: { output: ['String'], input: ['String'] },
  HEADERS: { output: [HttpHeader], input: [HttpHeaderInput] },
};

function typesOf({ kind, name }: FieldInfo): { output: OutputParam; input: InputParam } {
  const types = FIELD_TYPES[kind];
  if (types === undefined) throw new Error(`the API has no type for the field ${name} of kind ${kind}`);
  return types;
}

const CONFIG_TYPES = KINDS.map((kind) =>
  builder.objectRef<ConfigView>(configTypeName(kind)).implement({
    fields: (t) =>
      Object.fromEntries(
        fieldInfos(kind).map((info) => [
          info.name,
          t.field({ type: typesOf(info).output, nullable: !info.isAlwaysSet, resolve: ({ values }) => values[info.name] as never }),
        ]),
      ),
  }),
);

export const ChannelConfigUnion = builder.unionType('ChannelConfig', { types: CONFIG_TYPES, resolveType: (view) => view.typeName });

const CONFIG_INPUTS = KINDS.map((kind) => {
  const input = builder.inputType(`${configTypeName(kind)}Input`, {
    fields: (t) => Object.fromEntries(fieldInfos(kind).map((info) => [info.name, t.field({ type: typesOf(info).input })])),
  });
  return [kind.kind, input] as const;
});

/** By the kinds' names; exactly one is given. */
export const ChannelConfigInput = builder.inputType('ChannelConfigInput', {
  isOneOf: true,
  fields: (t) => Object.fromEntries(CONFIG_INPUTS.map(([kind, input]) => [kind, t.field({ type: input })])),
});
