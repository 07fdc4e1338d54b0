import type { JsonObject } from '../base/json.ts'
import type { Analyzer } from '../base/words.ts'
import { sentences } from '../base/sentences.ts'
import { sourceTitle } from './assemble.ts'
import type { Passage } from './passage.ts'

/** From an answer's markers back to the sources. */

export interface Quote {
  /** 1-based number of the source. */
  readonly source: number
  /** Range inside the source's text. */
  readonly start: number
  readonly end: number
}

export interface Marker {
  readonly source: number
  /** Range of `[1]` in the answer. */
  readonly start: number
  readonly end: number
}

/** The citation markers of an answer that name a source it was given. */
export function markersIn(answer: string, sources: number): Marker[] {
  const markers: Marker[] = []
  for (const match of answer.matchAll(/\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]/g)) {
    for (const number of (match[1] ?? '').split(',').map(Number)) {
      if (number >= 1 && number <= sources)
        markers.push({ source: number, start: match.index, end: match.index + match[0].length })
    }
  }
  return markers
}

/** Share of a cited sentence's words that a passage's sentence must hold to count as its ground. */
const OVERLAP_MIN = 0.4

/** Finds what each cited sentence rests on: the sentence of the cited passage that shares most of
 *  its words. For engines that do not say so themselves. */
export function findQuotes(analyzer: Analyzer, answer: string, passages: readonly Passage[]): Quote[] {
  const quotes = new Map<string, Quote>()
  for (const sentence of sentences(answer)) {
    const said = answer.slice(sentence.start, sentence.end)
    const terms = new Set(analyzer.terms(said.replace(/\[[\d,\s]+\]/g, '')))
    if (terms.size === 0) continue
    for (const { source } of markersIn(said, passages.length)) {
      const found = bestSentence(analyzer, terms, passages[source - 1]?.text ?? '')
      if (found !== undefined) quotes.set(`${source}:${found.start}`, { source, ...found })
    }
  }
  return [...quotes.values()]
}

function bestSentence(
  analyzer: Analyzer,
  terms: ReadonlySet<string>,
  text: string,
): { start: number; end: number } | undefined {
  let best: { start: number; end: number } | undefined
  let bestShare = OVERLAP_MIN
  for (const { start, end } of sentences(text)) {
    const shared = new Set(analyzer.terms(text.slice(start, end)).filter((term) => terms.has(term))).size
    const share = shared / terms.size
    if (share >= bestShare) {
      bestShare = share + Number.EPSILON
      best = { start, end }
    }
  }
  return best
}

/** OpenAI's annotations: one per marker, ranges in the answer's text. */
export const annotations = (markers: readonly Marker[], passages: readonly Passage[]): JsonObject[] =>
  markers.flatMap(({ source, start, end }) => {
    const passage = passages[source - 1]
    if (passage === undefined) return []
    return [
      {
        type: 'url_citation',
        url_citation: { start_index: start, end_index: end, title: sourceTitle(passage), url: passage.uri },
      },
    ]
  })

/** The sources as the API shows them, each with the ranges the answer rests on. */
export const sourcesJson = (passages: readonly Passage[], quotes: readonly Quote[]): JsonObject[] =>
  passages.map((passage, at) => ({
    number: at + 1,
    collection: passage.collection,
    document: passage.document,
    uri: passage.uri,
    title: passage.title,
    headings: passage.headings,
    start: passage.start,
    end: passage.end,
    text: passage.text,
    quotes: quotes.filter(({ source }) => source === at + 1).map(({ start, end }) => ({ start, end })),
  }))
