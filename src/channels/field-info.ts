import type { Json } from '../lib/json.ts';
import type { ChannelKind } from './channel.ts';
import { defaultOf, type Field, type FieldKind, isAlwaysSet, isSecret } from './field.ts';

/** A field as the API tells of it (ChannelFieldInfo) and as its types are made of it. */
export interface FieldInfo {
  name: string;
  label: string;
  kind: FieldKind;
  required: boolean;
  secret: boolean;
  hint: string | null;
  pattern: string | null;
  /** Of the text, or of each text of a list, in characters; of a header's value in bytes. */
  maxLength: number | null;
  defaultValue: Json;
  choices: string[] | null;
  /** Non-null in the output type. In the input type every field is nullable. */
  isAlwaysSet: boolean;
  /** The API's enum of a CHOICE, or of a SEVERITY_MAP's severities. */
  enumName: string | null;
}

/** The fields of a kind in the order of its form. */
export function fieldInfos({ fields }: ChannelKind): FieldInfo[] {
  return Object.entries(fields).map(([name, field]) => ({
    name,
    label: field.label,
    kind: field.kind,
    required: field.required === true,
    secret: isSecret(field),
    hint: field.hint ?? null,
    pattern: 'pattern' in field ? (field.pattern ?? null) : null,
    maxLength: maxLengthOf(field),
    defaultValue: defaultOf(field),
    choices: 'choices' in field ? field.choices.map(String) : null,
    isAlwaysSet: isAlwaysSet(field),
    enumName: 'enumName' in field ? field.enumName : null,
  }));
}

function maxLengthOf(field: Field): number | null {
  if (field.kind === 'HEADERS') return field.valueBytesMax;
  return 'maxLength' in field ? (field.maxLength ?? null) : null;
}
