import type { Finding } from './finding.ts'

/** What was taken out of one request, to be put back into its answer: `<EMAIL_1>` for an address. The same
 *  text has the same name throughout the request, so that the model can tell one from another. It lives as
 *  long as the request, in memory. */
export class Vault {
  readonly #names = new Map<string, string>()
  readonly #texts = new Map<string, string>()
  readonly #counts = new Map<string, number>()
  readonly #taken: (name: string) => boolean

  /** `taken`: whether the request says such a name itself. */
  constructor(taken: (name: string) => boolean) {
    this.#taken = taken
  }

  get isEmpty(): boolean {
    return this.#texts.size === 0
  }

  nameOf({ kind }: Finding, text: string): string {
    const known = this.#names.get(text)
    if (known !== undefined) return known
    let name: string
    do {
      const count = (this.#counts.get(kind) ?? 0) + 1
      this.#counts.set(kind, count)
      name = `<${kind.toUpperCase()}_${count}>`
    } while (this.#taken(name))
    this.#names.set(text, name)
    this.#texts.set(name, text)
    return name
  }

  /** The text with what stood there before. `within`: how a text is written where it goes. */
  restore(text: string, within: (restored: string) => string): string {
    if (this.isEmpty || !text.includes('<')) return text
    return text.replace(NAME, (name) => {
      const restored = this.#texts.get(name)
      return restored === undefined ? name : within(restored)
    })
  }

  /** From where on the end of a text may yet become a name. */
  openFrom(text: string): number {
    if (this.isEmpty) return text.length
    const at = text.lastIndexOf('<')
    if (at < 0) return text.length
    const tail = text.slice(at)
    return this.#texts.keys().some((name) => name.length > tail.length && name.startsWith(tail)) ? at : text.length
  }
}

const NAME = /<[A-Z0-9_]{1,40}_\d{1,6}>/g
