/** What the index and the files say to each other, over a message port. One file is written at a time:
 *  `begin`, any number of `rows`, `end`; each is answered before the next. */
export type ToArchive =
  | { readonly say: 'begin' }
  /** Cells of spans as JSON, one text for each. */
  | { readonly say: 'rows'; readonly cells: readonly string[]; readonly probabilities: readonly number[] }
  /** Where it shall lie, below the folder of the archive. */
  | { readonly say: 'end'; readonly file: string }
  /** Makes one file of several, and leaves these as they are. */
  | { readonly say: 'merge'; readonly files: readonly string[]; readonly file: string }

export type FromArchive = { readonly bytes: number } | { readonly failed: string; readonly isDiskFull: boolean }

/** Whole files are removed, never parts of one. */
export interface PartFile {
  readonly file: string
  readonly spans: number
  readonly bytes: number
  readonly startUs: number
  readonly endUs: number
}
