import { isUnseen, PLAIN, styled } from './css.ts'
import type { Hidden } from './hidden.ts'

/** Markdown without what its reader does not see: HTML comments, elements that are hidden by an
 *  attribute or a style, and link definitions that serve as comments. Code is left as it is.
 *  Linear in the length of the text. */
export function shownMarkdown(text: string, hidden: Hidden): string {
  if (!SUSPECT.test(text)) return text
  const parts: string[] = []
  let from = 0
  let fence = ''
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf('\n', at)
    const next = newline === -1 ? text.length : newline + 1
    const run = /^[ \t]*(?:[-*+>][ \t]+)?(`{3,}|~{3,})/.exec(text.slice(at, Math.min(next, at + 200)))?.[1]
    if (fence !== '') {
      if (run !== undefined && run.startsWith(fence)) fence = ''
    } else if (run !== undefined) {
      fence = run
    } else {
      const end = hideIn(at, next)
      if (end > next) {
        // What is hidden ends further down: that line has not been looked at.
        at = end
        continue
      }
    }
    at = next
  }
  parts.push(text.slice(from))
  return parts.join('')

  /** Hides what begins on a line; returns where the last of it ends, else 0. */
  function hideIn(start: number, stop: number): number {
    const definition = /^ {0,3}\[(?:\/\/|comment|_|#)\]:[ \t]/i.test(text.slice(start, start + 16))
    if (definition) {
      hidden.count('comment')
      return cut(start, text.charCodeAt(stop - 1) === 0x0a ? stop - 1 : stop)
    }
    let ends = 0
    const code = new InlineCode(text, start)
    for (let at = text.indexOf('<', start); at !== -1 && at < stop; at = text.indexOf('<', Math.max(at + 1, ends))) {
      if (at < ends || code.covers(at)) continue
      const end = text.startsWith('<!--', at) ? commentEnd(at) : elementEnd(at)
      if (end > at) ends = cut(at, end)
    }
    return ends
  }

  function cut(start: number, end: number): number {
    parts.push(text.slice(from, start))
    from = end
    return end
  }

  function commentEnd(at: number): number {
    hidden.count('comment')
    const close = text.indexOf('-->', at + 4)
    return close === -1 ? text.length : close + 3
  }

  function elementEnd(at: number): number {
    const head = text.slice(at, at + TAG_UNITS_MAX)
    if (!head.includes('>')) return at
    const tag = /^<([a-z][a-z0-9]{0,20})\b([^>]*)>/i.exec(head)
    if (tag === null || !isHiding(tag[2] ?? '')) return at
    const name = (tag[1] ?? '').toLowerCase()
    const body = at + tag[0].length
    const close = new RegExp(`</${name}\\s{0,10}>`, 'gi')
    close.lastIndex = body
    const found = close.exec(text)
    const end = found === null ? text.length : found.index + found[0].length
    hidden.passage(text.slice(body, found?.index))
    return end
  }
}

const SUSPECT = /<!--|<[a-z][^>]{0,2000}(?:hidden|style)|^ {0,3}\[(?:\/\/|comment|_|#)\]:/im

const TAG_UNITS_MAX = 2_000

function isHiding(attributes: string): boolean {
  if (/(?:^|\s)hidden(?:[\s=/]|$)|aria-hidden\s*=\s*["']?true/i.test(attributes)) return true
  const style = /(?:^|\s)style\s*=\s*(?:"([^"]*)"|'([^']*)')/i.exec(attributes)
  if (style === null) return false
  const look = styled(PLAIN, style[1] ?? style[2] ?? '')
  return look === undefined || isUnseen(look)
}

/** Code within a line: places with an odd number of runs of backticks before them. Asked for places
 *  in order, so that a line is counted once. */
class InlineCode {
  readonly #text: string
  #at: number
  #runs = 0

  constructor(text: string, start: number) {
    this.#text = text
    this.#at = start
  }

  covers(place: number): boolean {
    for (; this.#at < place; this.#at++)
      if (this.#text.charCodeAt(this.#at) === 0x60 && this.#text.charCodeAt(this.#at - 1) !== 0x60) this.#runs++
    return this.#runs % 2 === 1
  }
}
