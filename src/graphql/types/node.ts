import { badInput } from '../../lib/error.ts';
import { decodeGlobalId, globalId, type NodeType } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';

/** Loads a node by its key; null where the viewer may not know of it. */
type FindNode = (context: Context, key: string) => Promise<object | null>;

export const NodeInterface = builder.interfaceRef<object>('Node').implement({
  fields: (t) => ({
    id: t.id({
      resolve: () => {
        throw new Error('each type has its own id');
      },
    }),
  }),
  resolveType: (node) => typeNames.get(node) ?? null,
});

/** Says how nodes of a type are found; each type of lib/global-id.ts does so in its own file. */
export function defineNode(type: NodeType, find: FindNode): void {
  finders.set(type, find);
}

const finders = new Map<NodeType, FindNode>();
/** What type the nodes are that node and nodes found. */
const typeNames = new WeakMap<object, NodeType>();
const IDS_MAX = 100;

async function findNode(context: Context, id: string): Promise<object | null> {
  const decoded = decodeGlobalId(id);
  const node = (decoded && (await finders.get(decoded.type)?.(context, decoded.key))) ?? null;
  if (decoded !== null && node !== null) typeNames.set(node, decoded.type);
  return node;
}

/** The global id field of a type. */
export function idOf(type: NodeType, key: string): string {
  return globalId(type, key);
}

builder.queryFields((t) => ({
  node: t.field({
    type: NodeInterface,
    nullable: true,
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, context) => findNode(context, id),
  }),
  nodes: t.field({
    type: [NodeInterface],
    nullable: { list: false, items: true },
    description: 'At most 100 ids.',
    args: { ids: t.arg.idList({ required: true }) },
    resolve: (_root, { ids }, context) => {
      if (ids.length > IDS_MAX) throw badInput([{ path: 'ids', message: `at most ${String(IDS_MAX)} ids` }]);
      return Promise.all(ids.map((id) => findNode(context, id)));
    },
  }),
}));
