/** A chunk that was found, with everything needed to cite it. */
export interface Passage {
  readonly collection: string
  readonly document: string
  readonly uri: string
  readonly title: string
  readonly headings: readonly string[]
  /** Range in the document's text, in UTF-16 code units: [start, end). */
  readonly start: number
  readonly end: number
  readonly text: string
  /** What it was ranked by. Comparable within one search only. */
  readonly score: number
  /** Where each leg of the search had it; a leg that did not find it is absent. */
  readonly legs?: Legs
  /** SHA-256 of the document's file as it was read, hexadecimal. */
  readonly contentHash?: string
  /** The segment of the index it was found in. */
  readonly segment?: string
  /** How far the document's origin is trusted, where its source says so. */
  readonly trust?: string
}

export type Leg = 'words' | 'vector'

export type Legs = { readonly [L in Leg]?: LegScore }

export interface LegScore {
  /** BM25 of the question with its feedback, or the cosine. */
  readonly score: number
  /** 1 is the best. */
  readonly rank: number
}
