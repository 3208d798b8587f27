import type { CooldownBy } from '../../domain/subscription.ts';
import type { StoredFilters } from '../../service/filters.ts';
import { builder } from '../builder.ts';
import { CooldownByEnum } from '../enums.ts';
import { given } from '../given.ts';

export const SubscriptionFiltersType = builder.objectRef<StoredFilters>('SubscriptionFilters').implement({
  fields: (t) => ({
    priorityMin: t.exposeInt('priorityMin', { nullable: true }),
    priorityMax: t.exposeInt('priorityMax', { nullable: true }),
    taskNamePattern: t.exposeString('taskNamePattern', { nullable: true }),
    queue: t.exposeString('queue', { nullable: true }),
    cooldownSeconds: t.exposeInt('cooldownSeconds'),
    cooldownBy: t.field({ type: CooldownByEnum, resolve: (filters) => filters.cooldownBy as CooldownBy }),
    mutedUntil: t.expose('mutedUntil', { type: 'DateTime', nullable: true }),
  }),
});

export const SubscriptionFiltersInput = builder.inputType('SubscriptionFiltersInput', {
  fields: (t) => ({
    priorityMin: t.int(),
    priorityMax: t.int(),
    taskNamePattern: t.string(),
    queue: t.string(),
    cooldownSeconds: t.int(),
    cooldownBy: t.field({ type: CooldownByEnum }),
    mutedUntil: t.field({ type: 'DateTime' }),
  }),
});

/** An input with its filters, where it has any, without the members that were left out. */
export function withFilters<Input extends { filters?: typeof SubscriptionFiltersInput.$inferInput | null | undefined }>(input: Input) {
  const { filters, ...rest } = input;
  return { ...given(rest), ...(filters === undefined ? {} : { filters: filters === null ? null : given(filters) }) };
}
