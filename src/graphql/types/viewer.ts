import { builder } from '../builder.ts';
import { userOf } from '../context.ts';
import { UserType } from './user.ts';

/** The user that an operation stands for; what belongs to it is added where that is defined. */
export const ViewerType = builder.objectRef<{ userId: string }>('Viewer').implement({
  fields: (t) => ({
    user: t.prismaField({
      type: UserType,
      resolve: (query, { userId }, _args, context) => context.api.db.prisma.user.findUniqueOrThrow({ ...query, where: { id: userId } }),
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: ViewerType,
    description: "Whoever the request's token or session stands for.",
    resolve: (_root, _args, context) => userOf(context),
  }),
);
