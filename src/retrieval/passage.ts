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
  /** Comparable within one search only. */
  readonly score: number
}
