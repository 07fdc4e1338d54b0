/** How retrieved passages stand in a prompt: marked off from instructions, numbered for
 *  citation. The retrieval workflow writes the marks; an engine may read them back. */

export interface Source {
  /** 1-based: what `[1]` in an answer refers to. */
  readonly number: number
  readonly title: string
  readonly text: string
}

/** `<source id="1" title="...">...</source>`, one after the other. A passage cannot close its
 *  own mark: `<source` and `</source` inside it are defused by a zero-width space. */
export function writeSources(sources: readonly Source[]): string {
  return sources
    .map((source) => `<source id="${source.number}" title="${escapeTitle(source.title)}">\n${defuse(source.text)}\n</source>`)
    .join('\n')
}

const MARK = /<source id="(\d{1,4})" title="([^"]*)">\n([\s\S]*?)\n<\/source>/g

/** The sources marked in a prompt. Every passage's text is as it was written, defused marks
 *  restored, so that offsets into it are offsets into the original. */
export function readSources(prompt: string): Source[] {
  const sources: Source[] = []
  for (const [, id = '0', title = '', text = ''] of prompt.matchAll(MARK)) {
    sources.push({ number: Number(id), title, text: text.replace(/<\u200b(\/?source)/gi, '<$1') })
  }
  return sources
}

const escapeTitle = (title: string): string => title.replace(/["<>\n\r]/g, ' ')
const defuse = (text: string): string => text.replace(/<(\/?source)/gi, '<\u200b$1')
