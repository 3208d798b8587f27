import { globalId, type NodeType } from '../lib/global-id.ts';
import { builder } from './builder.ts';

/** The payload of a mutation that takes an object away: its global id, made of the key that the service answers with. */
export function deletedPayload(name: string, type: NodeType) {
  return builder.objectRef<{ id: string }>(name).implement({ fields: (t) => ({ id: t.id({ resolve: ({ id }) => globalId(type, id) }) }) });
}
