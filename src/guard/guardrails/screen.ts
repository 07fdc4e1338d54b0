import { CONTEXT_CHARS, type Detector, mergeFindings } from './finding.ts'
import type { Vault } from './vault.ts'

/** Reads one text of an answer as it arrives, and lets go only of what can no longer become a finding: of
 *  plain prose, all but the word that is being written. */
export class Screen {
  readonly #rules: readonly ScreenRule[]
  readonly #options: ScreenOptions
  readonly #heldCharsMax: number
  /** What was let go of, as it arrived: whether a word begins depends on it. */
  #before = ''
  #held = ''

  constructor(rules: readonly ScreenRule[], options: ScreenOptions) {
    this.#rules = rules
    this.#options = options
    this.#heldCharsMax = Math.max(CONTEXT_CHARS, ...rules.map(({ detector }) => detector.spanCharsMax))
  }

  /** What may be passed on by now. */
  push(text: string): string {
    this.#held += text
    return this.#let(Math.max(this.#openFrom(), this.#held.length - this.#heldCharsMax))
  }

  /** The rest. */
  end(): string {
    return this.#let(this.#held.length)
  }

  #openFrom(): number {
    const text = this.#before + this.#held
    const open = Math.min(
      text.length,
      ...this.#rules.map(({ detector }) => detector.openFrom(text)),
      this.#options.vault.openFrom(text),
    )
    return Math.max(0, open - this.#before.length)
  }

  #let(until: number): string {
    if (until <= 0) return ''
    const offset = this.#before.length
    const text = this.#before + this.#held
    const lists = this.#rules.map(({ detector, replace }) =>
      detector.find(text).map(({ kind, start, end }) => ({ kind, start: start - offset, end: end - offset, replace })),
    )
    const found = mergeFindings(lists).filter(({ start, end }) => start >= 0 && start < until && end > start)
    const last = found.at(-1)
    // What has begun is waited for, unless it is whole: a longer one may come of it.
    const cut = last !== undefined && last.end > until ? last.start : until
    const { vault, within } = this.#options
    let passed = ''
    let at = 0
    for (const one of found) {
      if (one.start >= cut) break
      const span = this.#held.slice(one.start, one.end)
      passed += vault.restore(this.#held.slice(at, one.start), within) + one.replace(one.kind, span)
      at = one.end
    }
    passed += vault.restore(this.#held.slice(at, cut), within)
    this.#before = (this.#before + this.#held.slice(0, cut)).slice(-CONTEXT_CHARS)
    this.#held = this.#held.slice(cut)
    return passed
  }
}

export interface ScreenRule {
  readonly detector: Detector
  /** What is said instead of a span. */
  readonly replace: (kind: string, span: string) => string
}

export interface ScreenOptions {
  readonly vault: Vault
  /** How a text that is put back is written where it goes: plain, or inside a JSON string. */
  readonly within: (restored: string) => string
}
