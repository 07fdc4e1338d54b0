/** How retrieved passages stand in a prompt: marked off from instructions, numbered for
 *  citation. The retrieval workflow writes the marks; an engine may read them back. */

export interface Source {
  /** 1-based: what `[1]` in an answer refers to. */
  readonly number: number
  /** The document and the headings above the passage, joined by `TITLE_SEPARATOR`. */
  readonly title: string
  readonly text: string
}

/** Between the parts of a source's title, outermost first. */
export const TITLE_SEPARATOR = ' › '

/** `<source id="1" title="...">...</source>`, one after the other. A passage cannot close its
 *  own mark: `<source` and `</source` inside it are defused by a zero-width space. */
export function writeSources(sources: readonly Source[]): string {
  return sources
    .map(
      (source) =>
        `<source id="${source.number}" title="${escapeTitle(source.title)}">\n${defuse(source.text)}\n</source>`,
    )
    .join('\n')
}

const OPENING = /<source id="(\d{1,4})" title="([^"]*)">\n/g
const CLOSING = '\n</source>'

export interface MarkedSource extends Source {
  /** Range of the whole mark in the prompt: [start, end). */
  readonly start: number
  readonly end: number
}

/** The sources marked in a prompt. Every passage's text is as it was written, defused marks
 *  restored, so that offsets into it are offsets into the original. Linear, whatever is sent. */
export function readSources(prompt: string): MarkedSource[] {
  const sources: MarkedSource[] = []
  const opening = new RegExp(OPENING)
  for (let mark = opening.exec(prompt); mark !== null; mark = opening.exec(prompt)) {
    const close = prompt.indexOf(CLOSING, opening.lastIndex - 1)
    if (close < 0) break
    const text = prompt
      .slice(opening.lastIndex, Math.max(close, opening.lastIndex))
      .replace(/<\u200b(\/?source)/gi, '<$1')
    const end = close + CLOSING.length
    sources.push({ number: Number(mark[1]), title: mark[2] ?? '', text, start: mark.index, end })
    opening.lastIndex = end
  }
  return sources
}

const escapeTitle = (title: string): string => title.replace(/["<>\n\r]/g, ' ')
const defuse = (text: string): string => text.replace(/<(\/?source)/gi, '<\u200b$1')
