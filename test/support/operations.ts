import { gql } from './gql.ts';

// Operations that more than one test sends.

export const VIEWER = gql(`{ viewer { user { id } } }`);

export const CREATE_USER = gql(`mutation ($input: CreateUserInput!) { createUser(input: $input) { user { id } } }`);
export const CREATE_TOKEN = gql(`mutation ($input: CreateTokenInput!) { createToken(input: $input) { token } }`);
export const REVOKE_TOKEN = gql(`mutation ($input: RevokeTokenInput!) { revokeToken(input: $input) { id } }`);

export const CREATE_PROJECT = gql(`mutation ($input: CreateProjectInput!) { createProject(input: $input) { project { id } } }`);
export const SET_MEMBER = gql(`mutation ($input: SetMemberInput!) { setMember(input: $input) { membership { role } } }`);
export const REMOVE_MEMBER = gql(`mutation ($input: RemoveMemberInput!) { removeMember(input: $input) { project { id } } }`);
export const LEAVE_PROJECT = gql(`mutation ($input: LeaveProjectInput!) { leaveProject(input: $input) { id } }`);

export const CREATE_CHANNEL = gql(`mutation ($input: CreateChannelInput!) { createChannel(input: $input) { channel { id } } }`);
export const UPDATE_CHANNEL = gql(`mutation ($input: UpdateChannelInput!) { updateChannel(input: $input) { channel { id } } }`);

export const CREATE_SUBSCRIPTION = gql(`mutation ($input: CreateSubscriptionInput!) { createSubscription(input: $input) { subscription { id } } }`);
export const UPDATE_SUBSCRIPTION = gql(`mutation ($input: UpdateSubscriptionInput!) { updateSubscription(input: $input) { subscription { id } } }`);
export const CREATE_DEFAULT_SUBSCRIPTION = gql(
  `mutation ($input: CreateDefaultSubscriptionInput!) { createDefaultSubscription(input: $input) { defaultSubscription { id } } }`,
);

export const PUBLISH_EVENTS = gql(`mutation ($input: PublishEventsInput!) { publishEvents(input: $input) { accepted } }`);
export const MARK_READ = gql(`mutation ($input: InboxSelectionInput!) { markRead(input: $input) { changed } }`);
export const ARCHIVE = gql(`mutation ($input: InboxSelectionInput!) { archive(input: $input) { changed } }`);
