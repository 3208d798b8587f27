import { inspect } from 'node:util';

/** What a secret reads as wherever it is shown (spec 4): 8 × U+2022. */
export const SECRET_MASK = '••••••••';

/** A secret that cannot be printed by accident: String, JSON, util.inspect and templates all give the mask. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The plain text: call it only where the secret leaves for its receiver or is sealed. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return SECRET_MASK;
  }

  toJSON(): string {
    return SECRET_MASK;
  }

  [inspect.custom](): string {
    return SECRET_MASK;
  }
}
