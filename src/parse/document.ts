/** A document as a parser hands it over. */
export interface ParsedDocument {
  readonly title: string
  /** The text that all character ranges refer to. For Markdown and plain text the file itself;
   *  for other formats what was extracted. */
  readonly text: string
  readonly mediaType: string
  /** In reading order, not overlapping. */
  readonly blocks: readonly Block[]
  /** What was left out, in sentences for people: pages past a limit, hidden text, attachments. */
  readonly note?: string
}

export interface Block {
  readonly kind: 'heading' | 'paragraph' | 'list' | 'table' | 'code'
  /** Range in `text`, in UTF-16 code units: [start, end). */
  readonly start: number
  readonly end: number
  /** Headings: 1 to 6. */
  readonly level?: number
  /** Headings: how they read without markup. A heading of an empty range marks a place that has
   *  no text of its own, such as the beginning of a page. */
  readonly text?: string
  /** Tables whose first row names the columns: where that row ends. */
  readonly headerEnd?: number
}

/** A piece of a document of a size to be searched and shown to a model. */
export interface Chunk {
  readonly start: number
  readonly end: number
  readonly text: string
  /** The headings above it, outermost first; last the header row of the table that it begins inside
   *  of. */
  readonly headings: readonly string[]
  /** Absent: it was not kept. */
  readonly outline?: Outline
}

/** What the text of a chunk does not tell of its document, so that the document can be cut anew. */
export interface Outline {
  /** That begin in it; of an overlap, in the first chunk that holds them. */
  readonly blocks: readonly OutlinedBlock[]
  /** The white space after it, where that is not line ends alone. */
  readonly gap?: string
}

/** `start` counts from that of the chunk. `mark`: the level of a heading, else the units of a table's
 *  header; 0: none. */
export type OutlinedBlock = readonly [kind: Block['kind'], start: number, units: number, mark?: number, text?: string]
