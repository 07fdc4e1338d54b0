import type { Block } from './document.ts'
import { headingText } from './extract.ts'

/** A block scanner for Markdown: the block structure of CommonMark 0.31 with GFM tables, as far
 *  as chunking needs it, in one pass over the source. Ranges refer to the source. Inline markup
 *  is left alone; HTML comments, scripts, styles and front matter are in no block. */
export function parseMarkdown(text: string): { readonly title?: string; readonly blocks: Block[] } {
  return new Scanner(text).scan()
}

const TAB = 0x09
const SPACE = 0x20
const HASH = 0x23
const STAR = 0x2a
const PLUS = 0x2b
const DASH = 0x2d
const LESS = 0x3c
const EQUALS = 0x3d
const GREATER = 0x3e
const UNDERSCORE = 0x5f
const BACKTICK = 0x60
const PIPE = 0x7c
const TILDE = 0x7e

type Open = 'paragraph' | 'quote' | 'list' | 'table' | 'indented' | 'fence' | 'html' | 'hidden'

const KINDS: Readonly<Record<Exclude<Open, 'hidden'>, Block['kind']>> = {
  paragraph: 'paragraph',
  quote: 'paragraph',
  html: 'paragraph',
  list: 'list',
  table: 'table',
  indented: 'code',
  fence: 'code',
}

/** A setext heading is one to a few lines; a paragraph of more above a rule is a paragraph. */
const SETEXT_UNITS_MAX = 300
const FRONT_MATTER_UNITS_MAX = 65_536

class Scanner {
  readonly #text: string
  readonly #eol: string
  readonly #blocks: Block[] = []
  #title: string | undefined
  #open: Open | undefined
  #start = 0
  #end = 0
  /** The list's last line was blank: the next decides whether it goes on. */
  #afterBlank = false
  /** A fence, at the top or inside a list item: its character and length. */
  #fenceChar = 0
  #fenceLength = 0
  /** What ends the HTML or hidden block; undefined: a blank line. */
  #htmlEnd: RegExp | undefined

  // Of the line being read
  #indent = 0
  /** Where its first character that is no white space stands. */
  #first = 0
  #lineStart = 0
  #lineEnd = 0

  constructor(text: string) {
    this.#text = text
    this.#eol = text.includes('\n') ? '\n' : '\r'
  }

  scan(): { readonly title?: string; readonly blocks: Block[] } {
    const text = this.#text
    let at = this.#frontMatter()
    while (at < text.length) {
      const found = text.indexOf(this.#eol, at)
      const next = found === -1 ? text.length : found + 1
      this.#lineEnd = found === -1 ? text.length : found
      this.#measure(at)
      this.#line(next)
      at = next
    }
    this.#close()
    return this.#title === undefined ? { blocks: this.#blocks } : { title: this.#title, blocks: this.#blocks }
  }

  #measure(at: number): void {
    const text = this.#text
    this.#lineStart = at
    let indent = 0
    let first = at
    for (; first < this.#lineEnd; first++) {
      const code = text.charCodeAt(first)
      if (code === SPACE) indent++
      else if (code === TAB) indent += 4 - (indent % 4)
      else if (code > SPACE) break
    }
    this.#indent = indent
    this.#first = first
  }

  #line(next: number): void {
    const blank = this.#first >= this.#lineEnd
    switch (this.#open) {
      case 'fence':
        this.#extend()
        if (!blank && this.#closesFence()) this.#close()
        return
      case 'html':
      case 'hidden':
        if (this.#htmlEnd !== undefined || !blank) return this.#htmlLine()
        return this.#close()
      case 'list':
        if (this.#listLine(blank)) return
        break
      case 'indented':
        if (blank) return
        if (this.#indent >= 4) return this.#extend()
        this.#close()
        break
      case 'paragraph':
      case 'quote':
      case 'table':
      case undefined:
    }
    if (blank) return this.#close()
    if (this.#open === 'table' || this.#open === 'paragraph' || this.#open === 'quote') {
      if (!this.#interrupts()) return this.#extend()
    }
    this.#begin(next)
  }

  /** Whether a line that follows a paragraph without a blank one begins something else. */
  #interrupts(): boolean {
    if (this.#indent >= 4) return false
    const code = this.#text.charCodeAt(this.#first)
    if (code > 0x40 && code !== UNDERSCORE && code !== BACKTICK && code !== TILDE && code !== PIPE) return false
    switch (code) {
      case HASH:
        return this.#headingLevel() > 0
      case BACKTICK:
      case TILDE:
        return this.#fenceRun() > 0
      case EQUALS:
        return this.#open === 'paragraph' && this.#isRun(EQUALS)
      case DASH:
        return this.#isRun(DASH) || this.#isRule() || this.#listMarker()
      case STAR:
      case UNDERSCORE:
        return this.#isRule() || this.#listMarker()
      case GREATER:
        return this.#open !== 'quote'
      case LESS:
        return this.#htmlStart() !== undefined
      case PIPE:
        return this.#open === 'paragraph' && this.#isTableHead()
      default:
        // A number that begins a line of prose begins a list only where it is 1.
        return (
          this.#listMarker() && (code === PLUS || (code === 0x31 && !isDigit(this.#text.charCodeAt(this.#first + 1))))
        )
    }
  }

  #begin(next: number): void {
    const code = this.#text.charCodeAt(this.#first)
    if (this.#open === 'paragraph' && (code === EQUALS || code === DASH) && this.#setext(code)) return
    this.#close()
    if (this.#indent >= 4) return this.#enter('indented', this.#lineStart)
    const level = code === HASH ? this.#headingLevel() : 0
    if (level > 0) return this.#heading(level, this.#first, this.#lineEnd)
    if (code === BACKTICK || code === TILDE) {
      this.#fenceLength = this.#fenceRun()
      this.#fenceChar = code
      if (this.#fenceLength > 0) return this.#enter('fence', this.#first)
    }
    if (code === LESS) {
      const html = this.#htmlStart()
      if (html !== undefined) return this.#beginHtml(html)
    }
    if (code === GREATER) return this.#enter('quote', this.#first)
    if ((code === STAR || code === DASH || code === UNDERSCORE) && this.#isRule()) return
    if (this.#listMarker()) {
      this.#fenceLength = 0
      this.#afterBlank = false
      return this.#enter('list', this.#first)
    }
    this.#enter(this.#isTableHead(next) ? 'table' : 'paragraph', this.#first)
  }

  // Lists

  /** True while the line belongs to the open list. */
  #listLine(blank: boolean): boolean {
    if (blank) {
      this.#afterBlank = true
      return true
    }
    const inside = this.#indent >= 2
    if (this.#fenceLength > 0 && (inside || !this.#afterBlank)) {
      if (this.#closesFence()) this.#fenceLength = 0
    } else {
      this.#fenceLength = 0
      const marker = this.#indent < 4 && this.#listMarker() && !this.#isRule()
      if (!inside && !marker && (this.#afterBlank || this.#interrupts())) {
        this.#close()
        return false
      }
      if (inside) {
        this.#fenceLength = this.#fenceRun()
        this.#fenceChar = this.#text.charCodeAt(this.#first)
      }
    }
    this.#afterBlank = false
    this.#extend()
    return true
  }

  #listMarker(): boolean {
    const text = this.#text
    let at = this.#first
    const code = text.charCodeAt(at)
    if (code === DASH || code === STAR || code === PLUS) at++
    else {
      while (isDigit(text.charCodeAt(at)) && at - this.#first < 9) at++
      if (at === this.#first) return false
      const after = text.charCodeAt(at)
      if (after !== 0x2e && after !== 0x29) return false
      at++
    }
    return at >= this.#lineEnd || text.charCodeAt(at) <= SPACE
  }

  // Headings

  #headingLevel(): number {
    let at = this.#first
    while (this.#text.charCodeAt(at) === HASH) at++
    const level = at - this.#first
    return level <= 6 && (at >= this.#lineEnd || this.#text.charCodeAt(at) <= SPACE) ? level : 0
  }

  #setext(code: number): boolean {
    if (!this.#isRun(code) || this.#end - this.#start > SETEXT_UNITS_MAX) return false
    const start = this.#start
    const titleEnd = this.#end
    this.#open = undefined
    this.#heading(code === EQUALS ? 1 : 2, start, this.#lineEnd, titleEnd)
    return true
  }

  #heading(level: number, start: number, end: number, titleEnd = end): void {
    const raw = this.#text.slice(start, titleEnd)
    const text = headingText(plainInline(raw.replace(/^#{1,6}(?=\s|$)/, '').replace(/\s#+\s*$/, '')))
    this.#blocks.push({ kind: 'heading', start, end: this.#trim(end), level, text })
    if (text !== '') this.#title ??= text
  }

  // Code

  /** The length of the fence that begins here; 0 where none does. */
  #fenceRun(): number {
    const code = this.#text.charCodeAt(this.#first)
    if (code !== BACKTICK && code !== TILDE) return 0
    let at = this.#first
    while (this.#text.charCodeAt(at) === code) at++
    const length = at - this.#first
    if (length < 3) return 0
    // A backtick later on the line makes it inline code.
    return code === BACKTICK && this.#text.slice(at, this.#lineEnd).includes('`') ? 0 : length
  }

  #closesFence(): boolean {
    let at = this.#first
    while (this.#text.charCodeAt(at) === this.#fenceChar) at++
    return at - this.#first >= this.#fenceLength && this.#trim(this.#lineEnd) <= at
  }

  // Tables

  #isTableHead(next = this.#lineEnd + 1): boolean {
    const text = this.#text
    if (next >= text.length || !text.slice(this.#first, this.#lineEnd).includes('|')) return false
    const found = text.indexOf(this.#eol, next)
    const end = found === -1 ? text.length : found
    const rule = text.slice(next, end)
    return rule.includes('|') && rule.includes('-') && /^[\s|:-]+$/.test(rule)
  }

  // HTML

  /** How the HTML block that begins here ends: at a pattern, or (null) at a blank line. */
  #htmlStart(): RegExp | null | undefined {
    const head = this.#text.slice(this.#first, Math.min(this.#lineEnd, this.#first + 16))
    if (head.startsWith('<!--')) return COMMENT_END
    const raw = /^<(script|style|pre|textarea)[\s>]/i.exec(head)?.[1]?.toLowerCase()
    if (raw !== undefined) return RAW_ENDS[raw]
    // An address in angle brackets is a link, not a tag.
    return /^<\/?[a-z][a-z0-9-]*(?:[\s/>]|$)/i.test(head) || /^<[!?]/.test(head) ? null : undefined
  }

  #beginHtml(end: RegExp | null): void {
    this.#htmlEnd = end ?? undefined
    const hidden = end === COMMENT_END || end === RAW_ENDS['script'] || end === RAW_ENDS['style']
    this.#enter(hidden ? 'hidden' : 'html', this.#first)
    this.#htmlLine()
  }

  #htmlLine(): void {
    this.#extend()
    if (this.#htmlEnd?.test(this.#text.slice(this.#first, this.#lineEnd))) this.#close()
  }

  // Lines of one character

  #isRun(code: number): boolean {
    const end = this.#trim(this.#lineEnd)
    for (let at = this.#first; at < end; at++) if (this.#text.charCodeAt(at) !== code) return false
    return this.#indent < 4
  }

  #isRule(): boolean {
    const code = this.#text.charCodeAt(this.#first)
    if (code !== STAR && code !== DASH && code !== UNDERSCORE) return false
    let marks = 0
    for (let at = this.#first; at < this.#lineEnd; at++) {
      const here = this.#text.charCodeAt(at)
      if (here === code) marks++
      else if (here > SPACE) return false
    }
    return marks >= 3
  }

  // Blocks

  #enter(kind: Open, start: number): void {
    this.#open = kind
    this.#start = start
    this.#extend()
  }

  #extend(): void {
    this.#end = this.#lineEnd
  }

  #close(): void {
    const kind = this.#open
    this.#open = undefined
    if (kind === undefined || kind === 'hidden') return
    const end = this.#trim(this.#end)
    if (end <= this.#start) return
    const header = kind === 'table' && { headerEnd: this.#headerEnd(end) }
    this.#blocks.push({ kind: KINDS[kind], start: this.#start, end, ...header })
  }

  /** After the line of dashes below the names of the columns. */
  #headerEnd(end: number): number {
    const names = this.#text.indexOf(this.#eol, this.#start)
    const rule = this.#text.indexOf(this.#eol, names + 1)
    return rule === -1 || rule > end ? end : rule
  }

  #trim(end: number): number {
    while (end > 0 && this.#text.charCodeAt(end - 1) <= SPACE) end--
    return end
  }

  // Front matter

  /** Where the text begins after YAML or TOML front matter. */
  #frontMatter(): number {
    const mark = /^(---|\+\+\+)[ \t]*\r?\n/.exec(this.#text.slice(0, 16))
    if (mark === null) return 0
    const head = this.#text.slice(0, FRONT_MATTER_UNITS_MAX)
    const close = mark[1] === '---' ? /\n(?:---|\.\.\.)[ \t]*(?:\r?\n|$)/g : /\n\+\+\+[ \t]*(?:\r?\n|$)/g
    close.lastIndex = mark[0].length - 1
    const end = close.exec(head)
    if (end === null) return 0
    const title = /^title\s*[:=]\s*(.+)$/im.exec(head.slice(mark[0].length, end.index))?.[1]?.trim()
    if (title !== undefined && title !== '') this.#title = headingText(title.replace(/^(["'])(.*)\1$/, '$2'))
    return end.index + end[0].length
  }
}

const COMMENT_END = /-->/
const RAW_ENDS: Readonly<Record<string, RegExp>> = {
  script: /<\/script>/i,
  style: /<\/style>/i,
  pre: /<\/pre>/i,
  textarea: /<\/textarea>/i,
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39

/** A heading without its inline markup. */
function plainInline(text: string): string {
  if (!/[[\]*_`<\\]/.test(text)) return text
  return text
    .replace(/!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?/g, '$1')
    .replace(/<[^>]+>/g, '')
    .replace(/(\*\*|__|\*|`+)(?=\S)(.*?)(?<=\S)\1/g, '$2')
    .replace(/\\([!-/:-@[-`{-~])/g, '$1')
}
