import type { Analyzer } from '../../base/words.ts'
import type { IndexChunk } from '../../store/index.ts'
import type { SegmentSections } from './segment-format.ts'

/** Turns chunks into the sections of a segment. Occurrences are collected chunk by chunk into flat
 *  arrays and brought into term order once at the end: no object per posting, no list per term. */
export function buildSegment(analyzer: Analyzer, chunks: readonly IndexChunk[], dimension: number): SegmentSections {
  const { terms, lengths, occurrences } = collect(analyzer, chunks)
  const ranks = rankTerms(terms)
  const { attributes, attributeValues } = encodeAttributes(chunks)
  return {
    meta: { chunks: chunks.length, terms: terms.length, dimension, attributes },
    ...encodeTerms(terms, ranks),
    ...encodePostings(occurrences, ranks),
    lengths,
    attributeValues,
    vectors: encodeVectors(chunks, dimension),
  }
}

/** For every term of every chunk, in chunk order: the term's number and how often it stands there. */
interface Occurrences {
  readonly term: Uint32Array
  readonly count: Uint32Array
  /** Where each chunk's occurrences end. */
  readonly ends: Uint32Array
}

function collect(
  analyzer: Analyzer,
  chunks: readonly IndexChunk[],
): { terms: string[]; lengths: Uint32Array; occurrences: Occurrences } {
  const numbers = new Map<string, number>()
  const lengths = new Uint32Array(chunks.length)
  const ends = new Uint32Array(chunks.length)
  let term = new Uint32Array(1 << 14)
  let count = new Uint32Array(1 << 14)
  /** Of each term, the place of its occurrence in the present chunk; older places lie below `begin`. */
  let place = new Int32Array(1 << 12).fill(-1)
  let end = 0
  for (const [chunk, { text }] of chunks.entries()) {
    const begin = end
    const words = analyzer.terms(text)
    lengths[chunk] = words.length
    if (end + words.length > term.length) {
      term = grown(term, end + words.length)
      count = grown(count, end + words.length)
    }
    for (const word of words) {
      let number = numbers.get(word)
      if (number === undefined) {
        number = numbers.size
        numbers.set(word, number)
        if (number >= place.length) place = grown(place, number + 1).fill(-1, number)
      }
      const seen = place[number] ?? -1
      if (seen >= begin) {
        count[seen] = (count[seen] ?? 0) + 1
      } else {
        place[number] = end
        term[end] = number
        count[end++] = 1
      }
    }
    ends[chunk] = end
  }
  return {
    terms: [...numbers.keys()],
    lengths,
    occurrences: { term: term.subarray(0, end), count: count.subarray(0, end), ends },
  }
}

/** The numbers of the terms in the order of their UTF-8 bytes. */
function rankTerms(terms: readonly string[]): Uint32Array {
  const sorted = [...terms].sort()
  // Code units sort like UTF-8 bytes unless a character needs two of them.
  if (terms.some((term) => /[\ud800-\udfff]/.test(term)))
    sorted.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const numbers = new Map(terms.map((term, number) => [term, number]))
  return Uint32Array.from(sorted, (term) => numbers.get(term) ?? 0)
}

function encodeTerms(terms: readonly string[], ranks: Uint32Array): Pick<SegmentSections, 'termEnds' | 'termBytes'> {
  const termBytes = Buffer.from(Array.from(ranks, (number) => terms[number]).join(''))
  const termEnds = new Uint32Array(terms.length)
  let end = 0
  for (const [rank, number] of ranks.entries()) {
    end += Buffer.byteLength(terms[number] ?? '')
    termEnds[rank] = end
  }
  return { termEnds, termBytes }
}

/** A doubled distance stays below 2 ** 21: `SEGMENT_CHUNKS_MAX` is a million. */
const DISTANCE_BYTES_MAX = 3
const COUNT_BYTES_MAX = 5

function encodePostings(
  { term, count, ends }: Occurrences,
  ranks: Uint32Array,
): Pick<SegmentSections, 'postingEnds' | 'postings'> {
  // A counting sort: where each term's postings begin, then every occurrence to its place.
  const next = new Uint32Array(ranks.length + 1)
  for (const number of term) next[number + 1] = (next[number + 1] ?? 0) + 1
  for (let number = 1; number < next.length; number++) next[number] = (next[number] ?? 0) + (next[number - 1] ?? 0)
  const begins = next.slice()
  const chunkOf = new Uint32Array(term.length)
  const countOf = new Uint32Array(term.length)
  for (let at = 0, chunk = 0; at < term.length; at++) {
    while (at >= (ends[chunk] ?? 0)) chunk++
    const number = term[at] ?? 0
    const place = next[number] ?? 0
    next[number] = place + 1
    chunkOf[place] = chunk
    countOf[place] = count[at] ?? 0
  }

  const repeated = countOf.reduce((sum, times) => sum + (times === 1 ? 0 : 1), 0)
  const postings = new Uint8Array(term.length * DISTANCE_BYTES_MAX + repeated * COUNT_BYTES_MAX)
  const postingEnds = new Uint32Array(ranks.length)
  let end = 0
  for (const [rank, number] of ranks.entries()) {
    let former = 0
    for (let at = begins[number] ?? 0; at < (begins[number + 1] ?? 0); at++) {
      const chunk = chunkOf[at] ?? 0
      const times = countOf[at] ?? 0
      end = writeNumber(postings, end, (chunk - former) * 2 + (times === 1 ? 1 : 0))
      if (times !== 1) end = writeNumber(postings, end, times)
      former = chunk
    }
    postingEnds[rank] = end
  }
  return { postingEnds, postings: postings.slice(0, end) }
}

function writeNumber(bytes: Uint8Array, at: number, value: number): number {
  let rest = value
  let end = at
  while (rest > 0x7f) {
    bytes[end++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[end++] = rest
  return end
}

function encodeAttributes(chunks: readonly IndexChunk[]): {
  attributes: SegmentSections['meta']['attributes']
  attributeValues: Uint32Array
} {
  const values = new Map<string, Map<string, number>>()
  for (const { attributes = {} } of chunks) for (const name of Object.keys(attributes)) values.set(name, new Map())
  const attributeValues = new Uint32Array(values.size * chunks.length)
  let row = 0
  for (const [name, numbers] of values) {
    for (const [chunk, { attributes = {} }] of chunks.entries()) {
      const value = Object.hasOwn(attributes, name) ? attributes[name] : undefined
      if (value === undefined) continue
      const number = numbers.get(value) ?? numbers.size + 1
      numbers.set(value, number)
      attributeValues[row * chunks.length + chunk] = number
    }
    row++
  }
  return { attributes: [...values].map(([name, numbers]) => ({ name, values: [...numbers.keys()] })), attributeValues }
}

function encodeVectors(chunks: readonly IndexChunk[], dimension: number): Float32Array {
  const vectors = new Float32Array(chunks.length * dimension)
  for (const [chunk, { vector }] of chunks.entries()) {
    if (vector === undefined) continue
    const length = Math.sqrt(vector.reduce((sum, component) => sum + component * component, 0))
    for (const [at, component] of vector.entries()) vectors[chunk * dimension + at] = component / length
  }
  return vectors
}

function grown<Numbers extends Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(
  numbers: Numbers,
  least: number,
): Numbers {
  const larger = new (numbers.constructor as new (length: number) => Numbers)(Math.max(numbers.length * 2, least))
  larger.set(numbers)
  return larger
}
