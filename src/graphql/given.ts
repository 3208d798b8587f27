/** The members of an input that were given: one that is undefined is left out, null stays. */
export function given<Input extends object>(input: Input): Given<Input> {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as Given<Input>;
}

export type Given<Input> = Simplify<
  { [Name in keyof Input as undefined extends Input[Name] ? never : Name]: Input[Name] } & {
    [Name in keyof Input as undefined extends Input[Name] ? Name : never]?: Exclude<Input[Name], undefined>;
  }
>;

type Simplify<T> = { [Name in keyof T]: T[Name] } & {};
