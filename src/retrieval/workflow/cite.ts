import type { JsonObject } from '../../base/json.ts'
import { sentences } from '../../base/sentences.ts'
import type { Analyzer } from '../../base/words.ts'
import type { Passage } from '../passage.ts'
import { sourceTitle } from './assemble.ts'

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

export const MARKS = /\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]/g

/** The citation markers of an answer that name a source it was given. */
export function markersIn(answer: string, sources: number): Marker[] {
  const markers: Marker[] = []
  for (const match of answer.matchAll(MARKS)) {
    for (const number of (match[1] ?? '').split(',').map(Number)) {
      if (number >= 1 && number <= sources)
        markers.push({ source: number, start: match.index, end: match.index + match[0].length })
    }
  }
  return markers
}

/** A marker, and what of its source it stands for. */
export interface Citation extends Marker {
  /** Empty where no sentence of the source can be told: then the whole passage. */
  readonly quotes: readonly Quote[]
}

/** Share of a cited sentence's words that a passage's sentence must hold to count as its ground. */
const OVERLAP_MIN = 0.4

/** What each marker rests on. It stands for the sentences of its paragraph since the marker before; for
 *  each of them the sentence of the cited passage, or of the quotes that an engine gave itself, that
 *  shares most of its words. */
export function citationsIn(
  analyzer: Analyzer,
  answer: string,
  passages: readonly Passage[],
  given?: readonly Quote[],
): Citation[] {
  const said = sentences(answer)
  let since = 0
  let stated: readonly ReadonlySet<string>[] = []
  return markersIn(answer, passages.length).map((marker) => {
    const before = said
      .filter(({ start, end }) => start < marker.start && end > since)
      .map(({ block, start, end }) => {
        const text = answer.slice(Math.max(start, since), Math.min(end, marker.start))
        return { block, terms: new Set(analyzer.terms(text)) }
      })
      .filter(({ terms }) => terms.size > 0)
    // Of markers side by side each stands for the same.
    if (before.length > 0)
      stated = before.filter(({ block }) => block === before.at(-1)?.block).map(({ terms }) => terms)
    since = marker.end
    const text = passages[marker.source - 1]?.text ?? ''
    const own = given?.filter(({ source }) => source === marker.source)
    const ranges = own ?? sentences(text)
    const found = new Set(stated.flatMap((terms) => bestRange(analyzer, terms, text, ranges) ?? []))
    const quotes = [...(found.size > 0 ? found : (own?.slice(0, 1) ?? []))]
    return { ...marker, quotes: quotes.map(({ start, end }) => ({ source: marker.source, start, end })) }
  })
}

interface Range {
  readonly start: number
  readonly end: number
}

function bestRange(
  analyzer: Analyzer,
  terms: ReadonlySet<string>,
  text: string,
  ranges: readonly Range[],
): Range | undefined {
  let best: Range | undefined
  let bestShare = OVERLAP_MIN
  for (const range of ranges) {
    const held = new Set(analyzer.terms(text.slice(range.start, range.end)))
    const share = terms.intersection(held).size / terms.size
    if (share >= bestShare) {
      bestShare = share + Number.EPSILON
      best = range
    }
  }
  return best
}

/** Each range once, in order. */
export function quotesOf(citations: readonly Citation[]): Quote[] {
  const quotes = new Map<string, Quote>()
  for (const quote of citations.flatMap((one) => one.quotes)) quotes.set(`${quote.source}:${quote.start}`, quote)
  return [...quotes.values()]
}

/** A cited text is cut to this length; its range is whole. */
const CITED_UNITS_MAX = 2000

/** OpenAI's annotations: one per marker, ranges in the answer's text; under `headworks` the ranges
 *  in the source document, in UTF-16 code units, and the texts there. */
export const annotations = (citations: readonly Citation[], passages: readonly Passage[]): JsonObject[] =>
  citations.flatMap(({ source, start, end, quotes }) => {
    const passage = passages[source - 1]
    if (passage === undefined) return []
    const whole = [{ start: 0, end: passage.text.length }]
    return [
      {
        type: 'url_citation',
        url_citation: { start_index: start, end_index: end, title: sourceTitle(passage), url: passage.uri },
        headworks: {
          source,
          document: passage.document,
          ranges: (quotes.length > 0 ? quotes : whole).map((range) => ({
            start: passage.start + range.start,
            end: passage.start + range.end,
            text: passage.text.slice(range.start, Math.min(range.end, range.start + CITED_UNITS_MAX)),
          })),
        },
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
