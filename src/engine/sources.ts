/** How retrieved passages stand in a prompt: marked off from instructions, numbered for
 *  citation. The retrieval workflow writes the marks; an engine may read them back.
 *
 *  After Hines et al., "Defending Against Indirect Prompt Injection Attacks With Spotlighting"
 *  (2024): the mark is a word that no document can have known when it was written, and where
 *  `datamark` is given, the spaces of a passage are replaced by a character that runs through it. */

export interface Source {
  /** 1-based: what `[1]` in an answer refers to. */
  readonly number: number
  /** The document and the headings above the passage, joined by `TITLE_SEPARATOR`. */
  readonly title: string
  readonly text: string
  /** How far its origin is trusted, where that is known. */
  readonly trust?: string
}

/** How the sources of one prompt are marked. */
export interface Marks {
  /** Sixteen random hexadecimal digits. */
  readonly nonce: string
  /** One character of Unicode's private use area that stands for every space. */
  readonly datamark?: string
}

/** Between the parts of a source's title, outermost first. */
export const TITLE_SEPARATOR = ' › '

/** `<source-NONCE id="1" title="...">...</source-NONCE>`, one after the other. What is shown of a
 *  passage has its length, unit by unit, so that offsets into one are offsets into the other. */
export const writeSources = (sources: readonly Source[], marks: Marks): string =>
  sources.map((source) => writeSource(source, marks)).join('\n')

export function writeSource({ number, title, text, trust }: Source, { nonce, datamark }: Marks): string {
  const marked = datamark === undefined ? text : text.replaceAll(datamark, ' ').replaceAll(' ', datamark)
  const more = `${trust === undefined ? '' : ` trust="${escapeTitle(trust)}"`}${datamark === undefined ? '' : ` spaces="${datamark}"`}`
  return `<source-${nonce} id="${number}" title="${escapeTitle(title)}"${more}>\n${marked.replaceAll(nonce, '0'.repeat(nonce.length))}\n</source-${nonce}>`
}

const OPENING =
  /<source(-[0-9a-f]{16})? id="(\d{1,4})" title="([^"]*)"(?: trust="[^"]*")?(?: spaces="([\ue000-\uf8ff])")?>\n/g

export interface MarkedSource extends Source {
  /** Range of the whole mark in the prompt: [start, end). */
  readonly start: number
  readonly end: number
}

/** The sources marked in a prompt, with or without a nonce. Every passage's text is as it was
 *  written, so that offsets into it are offsets into the original. Linear, whatever is sent. */
export function readSources(prompt: string): MarkedSource[] {
  const sources: MarkedSource[] = []
  const opening = new RegExp(OPENING)
  /** Marks known not to be closed any more. */
  const unclosed = new Set<string>()
  for (let mark = opening.exec(prompt); mark !== null; mark = opening.exec(prompt)) {
    const [, nonce = '', number, title = '', datamark] = mark
    const closing = `\n</source${nonce}>`
    const close = unclosed.has(nonce) ? -1 : prompt.indexOf(closing, opening.lastIndex - 1)
    if (close < 0) {
      unclosed.add(nonce)
      if (unclosed.size > UNCLOSED_MAX) break
      continue
    }
    const shown = prompt.slice(opening.lastIndex, Math.max(close, opening.lastIndex))
    const text = datamark === undefined ? shown : shown.replaceAll(datamark, ' ')
    const end = close + closing.length
    sources.push({ number: Number(number), title, text, start: mark.index, end })
    opening.lastIndex = end
  }
  return sources
}

/** More kinds of marks that are never closed are an attack on the time it takes to look for them. */
const UNCLOSED_MAX = 8

const escapeTitle = (title: string): string => title.replace(/["<>\n\r]/g, ' ')
