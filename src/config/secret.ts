/** A secret's text. It leaves only through `reveal`: printing, logging, inspecting or serialising
 *  it shows a placeholder. */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  reveal(): string {
    return this.#text
  }

  equals(other: Secret): boolean {
    return this.#text === other.#text
  }

  toString(): string {
    return PLACEHOLDER
  }

  toJSON(): string {
    return PLACEHOLDER
  }

  get [Symbol.toStringTag](): string {
    return 'Secret'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return PLACEHOLDER
  }
}

const PLACEHOLDER = '[secret]'

/** What the configuration's references stand for, by reference as written (`env:OPENAI_API_KEY`).
 *  Kept apart from `Config`, so that the configuration can be printed. */
export type Secrets = ReadonlyMap<string, Secret>

const REFERENCE = /^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/

/** Whether a text is a reference to a secret and not the secret itself. */
export const isReference = (text: string): boolean => REFERENCE.test(text)
