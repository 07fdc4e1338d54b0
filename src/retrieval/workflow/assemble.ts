import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { Analyzer } from '../../base/words.ts'
import { type Marks, type Source, TITLE_SEPARATOR, writeSource } from '../../engine/sources.ts'
import type { Random } from '../../base/random.ts'
import type { TextTokenizer } from '../../meter/tokenizer/tokenizer.ts'
import type { Passage } from '../passage.ts'
import { instructionsOf } from './instructions.ts'
import type { WorkflowSpec } from './spec.ts'

/** From passages to a prompt. */

const NONCE_BYTES = 8
const PRIVATE_FROM = 0xe000
const PRIVATE_COUNT = 0x1900

/** New for every prompt. */
export function newMarks(random: Random, spotlight: WorkflowSpec['spotlight']): Marks {
  const nonce = Buffer.from(random.bytes(NONCE_BYTES)).toString('hex')
  if (spotlight === 'delimit') return { nonce }
  const [high = 0, low = 0] = random.bytes(2)
  return { nonce, datamark: String.fromCharCode(PRIVATE_FROM + (((high << 8) | low) % PRIVATE_COUNT)) }
}

/** Passages sharing this part of their words say the same. */
const DUPLICATE_OVERLAP = 0.9

/** Without what was said by a better passage: nearly the same words, or a range inside another's. */
export function distinct(analyzer: Analyzer, passages: readonly Passage[]): Passage[] {
  const kept: { readonly passage: Passage; readonly terms: ReadonlySet<string> }[] = []
  for (const passage of passages) {
    const terms = new Set(analyzer.terms(passage.text))
    const repeats = kept.some(
      (other) => isWithin(passage, other.passage) || sharedPart(terms, other.terms) >= DUPLICATE_OVERLAP,
    )
    if (!repeats) kept.push({ passage, terms })
  }
  return kept.map(({ passage }) => passage)
}

const isWithin = (a: Passage, b: Passage): boolean => a.document === b.document && a.start >= b.start && a.end <= b.end

/** Jaccard's index. */
function sharedPart(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const shared = a.intersection(b).size
  return shared === 0 ? 0 : shared / (a.size + b.size - shared)
}

export interface Context {
  /** In order of rank: a source's number is its place here. */
  readonly passages: readonly Passage[]
  /** As the answering model counts, marks included, where its tokenizer is known. */
  readonly tokens: number
}

/** While there are several documents, none takes more than this share of the budget ... */
const DOCUMENT_SHARE_MAX = 0.5

/** The best passages that fit the budget. Where one document would take more than its share, the
 *  others come first; what is left over is filled up by rank. The first is always taken, cut if it
 *  must be. */
export function fitPassages(
  passages: readonly Passage[],
  tokensMax: number,
  tokenizers: readonly TextTokenizer[],
): Context {
  const nonce = '0'.repeat(2 * NONCE_BYTES)
  const cost = (passage: Passage): number => {
    const text = writeSource(sourceOf(passage, passages.length), { nonce })
    return Math.max(...tokenizers.map((one) => one.count(text)))
  }
  const [first] = passages
  if (first === undefined) return { passages: [], tokens: 0 }
  const costs = new Map(passages.map((passage) => [passage, cost(passage)]))
  const costOf = (passage: Passage): number => costs.get(passage) ?? 0
  if (costOf(first) > tokensMax) {
    const cut = cutTo(first, tokensMax, cost)
    return { passages: [cut], tokens: cost(cut) }
  }
  const taken = new Set<Passage>()
  const used = new Map<string, number>()
  let tokens = 0
  for (const share of [DOCUMENT_SHARE_MAX, 1]) {
    for (const passage of passages) {
      const own = (used.get(passage.document) ?? 0) + costOf(passage)
      const isOver = taken.size > 0 && own > share * tokensMax
      if (taken.has(passage) || isOver || tokens + costOf(passage) > tokensMax) continue
      taken.add(passage)
      used.set(passage.document, own)
      tokens += costOf(passage)
    }
  }
  return { passages: passages.filter((passage) => taken.has(passage)), tokens }
}

function cutTo(passage: Passage, tokensMax: number, cost: (passage: Passage) => number): Passage {
  const cut = (units: number): Passage => {
    const whole = /[\ud800-\udbff]$/.test(passage.text.slice(0, units)) ? units - 1 : units
    return { ...passage, text: passage.text.slice(0, whole), end: passage.start + whole }
  }
  let [fits, over] = [1, passage.text.length]
  while (over - fits > 1) {
    const middle = (fits + over) >> 1
    if (cost(cut(middle)) <= tokensMax) fits = middle
    else over = middle
  }
  return cut(fits)
}

/** The title a source carries in the prompt: the document, then the headings above the passage. */
export const sourceTitle = (passage: Passage): string =>
  [passage.title, ...passage.headings.filter((heading) => heading !== passage.title)].join(TITLE_SEPARATOR)

const TITLE_UNITS_MAX = 300

const sourceOf = (passage: Passage, number: number): Source => ({
  number,
  title: seen(sourceTitle(passage)).slice(0, TITLE_UNITS_MAX),
  text: seen(passage.text),
  ...(passage.trust === undefined ? {} : { trust: passage.trust }),
})

// oxlint-disable-next-line no-misleading-character-class -- It is the single characters that are meant.
const UNSEEN = /[\u200b\u2060-\u2064\u202a-\u202e\u2066-\u2069\ufeff]|\udb40[\udc00-\udc7f\udd00-\uddef]/g
/** What chat templates use to begin and end turns; a tokenizer may read it as such in any text. */
const TURN_MARKS = /<(?=[|\uff5c]|\/?s>|(?:start|end)_of_turn>|\/?(?:system|user|assistant|tool)>)|\[(?=\/?INST\])/gi

/** Only what a person would see, and nothing that a chat template could take for its own. Unit for
 *  unit as long as it was, so that ranges hold. */
const seen = (text: string): string =>
  text.replace(UNSEEN, (one) => ' '.repeat(one.length)).replace(TURN_MARKS, (one) => (one === '<' ? '‹' : '⟦'))

/** Numbered by rank, and put together by document, in the order in which each reads. */
export function sourcesText(passages: readonly Passage[], marks: Marks): string {
  const order = [...new Set(passages.map(({ document }) => document))]
  return passages
    .map((passage, at) => ({ passage, source: sourceOf(passage, at + 1) }))
    .sort(
      (a, b) =>
        order.indexOf(a.passage.document) - order.indexOf(b.passage.document) || a.passage.start - b.passage.start,
    )
    .map(({ source }) => writeSource(source, marks))
    .join('\n')
}

/** The caller's body with the instructions and sources put before the conversation. */
export function promptWith(
  body: JsonObject,
  spec: WorkflowSpec,
  passages: readonly Passage[],
  marks: Marks,
): JsonObject {
  const conversation = Array.isArray(body['messages']) ? (body['messages'] as readonly Json[]) : []
  const content = `${instructionsOf(spec, marks)}\n\n${sourcesText(passages, marks)}`
  return { ...body, messages: [{ role: 'system', content }, ...conversation.filter(isObject)] }
}
