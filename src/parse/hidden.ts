/** What a document holds that its reader does not see: a favourite place for instructions to a
 *  model. It is left out, and counted, so that the document can say so. */

/** What can be hidden, one and many. */
const KINDS = {
  passage: ['passage', 'passages'],
  comment: ['comment', 'comments'],
  slide: ['slide', 'slides'],
  shape: ['shape', 'shapes'],
  sheet: ['sheet', 'sheets'],
  row: ['row', 'rows'],
  column: ['column', 'columns'],
  character: ['invisible character', 'invisible characters'],
} as const

export type HiddenKind = keyof typeof KINDS

export class Hidden {
  readonly #counts = new Map<HiddenKind, number>()
  #units = 0

  count(kind: HiddenKind, times = 1): void {
    if (times > 0) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + times)
  }

  /** A run of text; white space alone hides nothing. */
  passage(text: string): void {
    const { length } = text.trim()
    if (length === 0) return
    this.count('passage')
    this.#units += length
  }

  /** What was hidden in a part of this document. */
  include(other: Hidden): void {
    for (const [kind, times] of other.#counts) this.count(kind, times)
    this.#units += other.#units
  }

  /** The text without what has no width or steers how others are shown. */
  visible(text: string): string {
    if (!UNSEEN.test(text)) return text
    let dropped = 0
    const shown = text.replace(UNSEEN_RUNS, (run, at: number) => {
      if (run.length === 1 && joins(run, text.charCodeAt(at - 1), text.charCodeAt(at + 1))) return run
      // Soft hyphens are on every other page, and no words can be hidden in them.
      for (let i = 0; i < run.length; i++) {
        const code = run.charCodeAt(i)
        if (code !== SOFT_HYPHEN && (code & 0xfc00) !== 0xdc00) dropped++
      }
      return ''
    })
    this.count('character', dropped)
    return shown
  }

  /** A sentence for people; empty where nothing was hidden. */
  note(): string {
    const parts: string[] = []
    for (const kind of Object.keys(KINDS) as HiddenKind[]) {
      const count = this.#counts.get(kind) ?? 0
      if (count === 0) continue
      const size = kind === 'passage' ? ` (${this.#units} characters)` : ''
      parts.push(`${count} ${KINDS[kind][count === 1 ? 0 : 1]}${size}`)
    }
    return parts.length === 0 ? '' : `Left out as hidden: ${parts.join(', ')}.`
  }
}

const SOFT_HYPHEN = 0xad

/** Default-ignorable characters (UAX #44): zero width, controls of direction, fillers, and the tags
 *  and variation selectors of plane 14, in which whole sentences can be written. */
const UNSEEN =
  /[\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|\u034f|\u17b4|\u17b5|\udb40[\udc00-\udfff]|[\ufe00-\ufe0f]{2}/
const UNSEEN_RUNS =
  /(?:[\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|\u034f|\u17b4|\u17b5|\udb40[\udc00-\udfff]|[\ufe00-\ufe0f](?=[\ufe00-\ufe0f]))+/g

/** Whether a single joiner is spelling: in scripts whose letters join, and in emoji (UAX #31, 2.3). */
function joins(run: string, before: number, after: number): boolean {
  return (run === '\u200c' || run === '\u200d') && isJoining(before) && isJoining(after)
}

/** Arabic to Tibetan, Myanmar, Khmer and Mongolian; symbols, emoji and their selectors. */
const isJoining = (code: number): boolean =>
  (code >= 0x600 && code <= 0x109f) ||
  (code >= 0x1780 && code <= 0x18af) ||
  (code >= 0x2600 && code <= 0x27bf) ||
  code === 0xfe0f ||
  (code & 0xf800) === 0xd800
