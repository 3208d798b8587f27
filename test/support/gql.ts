import type { Operations } from '../generated/operations.ts';

/** The text of a GraphQL operation, with the types of what it takes and gives. */
export interface Operation<Data, Variables> {
  readonly text: string;
  /** Never set: it holds the types. */
  readonly types?: (variables: Variables) => Data;
}

/** Any operation. */
export type AnyOperation = Operation<unknown, never>;

/** What an operation gives; of a plain text, nobody knows. */
export type DataOf<Sent> = Sent extends Operation<infer Data, never> ? Data : unknown;

/** What an operation takes. */
export type VariablesOf<Sent> = Sent extends Operation<unknown, infer Variables> ? Variables : Record<string, unknown>;

/** An operation with its types, which npm run codegen makes for every text that stands in such a call. */
export function gql<Text extends keyof Operations>(text: Text): Operation<Operations[Text]['data'], Operations[Text]['variables']> {
  return { text };
}
