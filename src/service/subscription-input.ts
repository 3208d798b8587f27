import { checkName } from '../domain/names.ts';
import type { Trigger } from '../domain/trigger.ts';
import type { NotificationSubscription } from '../generated/prisma/client.ts';
import { checkChannelCount, checkDestination } from './destinations.ts';
import { type FiltersInput, filtersOf, mergeFilters, NO_FILTERS, type StoredFilters } from './filters.ts';
import { accept, createProblems, type Problems } from './refusals.ts';

/** What creating and changing have in common. Null counts as omitted at creation; on a change it clears the name and filters, and nothing else. */
interface SubscriptionFields {
  name?: string | null;
  filters?: FiltersInput | null;
  inApp?: boolean | null;
  channelIds?: readonly string[] | null;
  isActive?: boolean | null;
}

export interface CreateSubscriptionInput extends SubscriptionFields {
  projectId: string;
  /** Makes it the project's instead of the viewer's own. */
  team?: boolean | null;
  trigger: Trigger;
}

export interface UpdateSubscriptionInput extends SubscriptionFields {
  id: string;
  trigger?: Trigger | null;
}

/** What a new subscription is to be. */
export interface NewSubscription {
  isTeam: boolean;
  values: StoredFilters & { name: string | null; trigger: Trigger; inApp: boolean; isActive: boolean };
  channelIds: readonly string[];
}

/** Reads a new subscription; throws BAD_USER_INPUT with all of its problems. */
export function readNew(input: CreateSubscriptionInput): NewSubscription {
  const isTeam = input.team === true;
  const problems = createProblems();
  const name = problems.clearable('name', input.name, checkName) ?? null;
  const filters = mergeFilters(NO_FILTERS, input.filters, problems);
  const inApp = checkInApp(input.inApp ?? !isTeam, isTeam, problems);
  const channelIds = input.channelIds ?? [];
  checkChannelCount(channelIds, problems);
  checkDestination(inApp, channelIds, problems);
  problems.throwIfAny();
  return { isTeam, values: { name, trigger: input.trigger, ...filters, inApp, isActive: input.isActive ?? true }, channelIds };
}

/** A subscription as it is to become; `channelIds` undefined: with the channels that it has. */
export interface ChangedSubscription {
  values: NewSubscription['values'];
  channelIds: readonly string[] | undefined;
}

/** Lays `input` over the subscription `before`; throws BAD_USER_INPUT with all of its problems. */
export function readUpdate(before: NotificationSubscription, input: UpdateSubscriptionInput): ChangedSubscription {
  const problems = createProblems();
  const name = problems.clearable('name', input.name, checkName);
  const trigger = problems.given('trigger', input.trigger, accept<Trigger>) ?? (before.trigger as Trigger);
  const inApp = problems.given('inApp', input.inApp, accept<boolean>) ?? before.inApp;
  const isActive = problems.given('isActive', input.isActive, accept<boolean>) ?? before.isActive;
  const channelIds = problems.given('channelIds', input.channelIds, accept<readonly string[]>);
  const filters = mergeFilters(filtersOf(before), input.filters, problems);
  checkInApp(inApp, before.userId === null, problems);
  checkChannelCount(channelIds ?? [], problems);
  problems.throwIfAny();
  return { values: { ...filters, name: name === undefined ? before.name : name, trigger, inApp, isActive }, channelIds };
}

/** A team subscription tells channels only. */
function checkInApp(inApp: boolean, isTeam: boolean, problems: Problems): boolean {
  if (isTeam && inApp) problems.add('inApp', 'must be false on a team subscription: it has no inbox');
  return inApp;
}

/** Whether what its cooldown has counted is of no use any more: it counts by something else, or not at all. */
export function isCountedAnew(before: StoredFilters, after: StoredFilters): boolean {
  return after.cooldownBy !== before.cooldownBy || (before.cooldownSeconds > 0 && after.cooldownSeconds === 0);
}
