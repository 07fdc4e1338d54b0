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
  /** SHA-256 of the document's file as it was read, hexadecimal. */
  readonly contentHash?: string
  /** The segment of the index it was found in. */
  readonly segment?: string
  /** How far the document's origin is trusted, where its source says so. */
  readonly trust?: string
}
