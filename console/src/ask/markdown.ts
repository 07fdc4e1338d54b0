/** The Markdown that answers are written in, as a tree. Only a tree: what draws it makes
 *  elements, so nothing in an answer can become markup. Anything not known here is plain text. */

export type Block =
  | { readonly kind: 'paragraph' | 'quote'; readonly inlines: readonly Inline[] }
  | { readonly kind: 'heading'; readonly level: number; readonly inlines: readonly Inline[] }
  | { readonly kind: 'code'; readonly language: string; readonly text: string }
  | { readonly kind: 'list'; readonly ordered: boolean; readonly start: number; readonly items: readonly Item[] }
  | { readonly kind: 'table'; readonly head: readonly Cell[]; readonly rows: readonly (readonly Cell[])[] }
  | { readonly kind: 'rule' }

type Cell = readonly Inline[]

interface Item {
  readonly inlines: readonly Inline[]
  readonly inner: readonly Block[]
}

export type Inline =
  | { readonly kind: 'text' | 'code'; readonly text: string }
  | { readonly kind: 'strong' | 'emphasis'; readonly inlines: readonly Inline[] }
  | { readonly kind: 'link'; readonly href: string; readonly inlines: readonly Inline[] }
  /** `[1]`: the source with that number. */
  | { readonly kind: 'citation'; readonly number: number }

const FENCE = /^\s{0,3}(`{3,}|~{3,})\s*([\w+#.-]*)[^`]*$/
const HEADING = /^\s{0,3}(#{1,6})\s+(.+?)\s*#*$/
const RULE = /^\s{0,3}(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,})$/
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/
const QUOTE = /^\s{0,3}>\s?/
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/

/** Deeper lists are drawn flat. */
const DEPTH_MAX = 6

export function parseMarkdown(text: string, depth = 0): Block[] {
  const lines = text.replace(/\r\n?/g, '\n').split('\n')
  const blocks: Block[] = []
  let at = 0
  while (at < lines.length) {
    const line = lines[at] ?? ''
    if (line.trim() === '') at++
    else {
      const [block, next] = readBlock(lines, at, depth)
      blocks.push(block)
      at = next
    }
  }
  return blocks
}

function readBlock(lines: readonly string[], at: number, depth: number): [Block, next: number] {
  const line = lines[at] ?? ''
  const fence = FENCE.exec(line)
  if (fence) return readCode(lines, at, fence[1] ?? '```', fence[2] ?? '')
  const heading = HEADING.exec(line)
  if (heading)
    return [{ kind: 'heading', level: heading[1]?.length ?? 1, inlines: parseInlines(heading[2] ?? '') }, at + 1]
  if (RULE.test(line)) return [{ kind: 'rule' }, at + 1]
  if (ITEM.test(line)) return readList(lines, at, depth)
  if (QUOTE.test(line)) {
    const end = endOf(lines, at, (one) => QUOTE.test(one))
    return [
      { kind: 'quote', inlines: parseInlines(join(lines.slice(at, end).map((one) => one.replace(QUOTE, '')))) },
      end,
    ]
  }
  if (line.includes('|') && TABLE_RULE.test(lines[at + 1] ?? '')) return readTable(lines, at)
  const end = endOf(lines, at + 1, (one) => one.trim() !== '' && !opens(one))
  return [{ kind: 'paragraph', inlines: parseInlines(join(lines.slice(at, end))) }, end]
}

const opens = (line: string): boolean =>
  FENCE.test(line) || HEADING.test(line) || RULE.test(line) || ITEM.test(line) || QUOTE.test(line)

function endOf(lines: readonly string[], from: number, belongs: (line: string) => boolean): number {
  let end = from
  while (end < lines.length && belongs(lines[end] ?? '')) end++
  return end
}

const join = (lines: readonly string[]): string => lines.map((line) => line.trim()).join('\n')

/** An unclosed fence runs to the end: while streaming, every fence is unclosed for a time. */
function readCode(lines: readonly string[], at: number, fence: string, language: string): [Block, number] {
  const end = endOf(
    lines,
    at + 1,
    (one) => !(one.trim().startsWith(fence) && one.trim().replaceAll(fence[0] ?? '`', '') === ''),
  )
  return [{ kind: 'code', language, text: lines.slice(at + 1, end).join('\n') }, end + 1]
}

function readList(lines: readonly string[], at: number, depth: number): [Block, number] {
  const [, indent = '', marker = ''] = ITEM.exec(lines[at] ?? '') ?? []
  const ordered = /\d/.test(marker)
  const items: Item[] = []
  let next = at
  for (;;) {
    const found = ITEM.exec(lines[next] ?? '')
    if (!found || (found[1] ?? '').length > indent.length + 1 || /\d/.test(found[2] ?? '') !== ordered) break
    if ((found[1] ?? '').length < indent.length) break
    const end = itemEnd(lines, next + 1, indent.length)
    const rest = lines.slice(next + 1, end).map((line) => line.replace(/^(?: {1,4}|\t)/, ''))
    const split = rest.findIndex((line) => line.trim() === '' || opens(line))
    const own = split < 0 ? rest : rest.slice(0, split)
    const inner = split < 0 || depth >= DEPTH_MAX ? [] : parseMarkdown(rest.slice(split).join('\n'), depth + 1)
    items.push({ inlines: parseInlines(join([found[3] ?? '', ...own])), inner })
    next = end
  }
  return [{ kind: 'list', ordered, start: ordered ? Number.parseInt(marker, 10) : 1, items }, next]
}

/** An item goes on while lines are indented deeper, or merely continue its paragraph. */
function itemEnd(lines: readonly string[], from: number, indent: number): number {
  let end = from
  while (end < lines.length) {
    const line = lines[end] ?? ''
    if (line.trim() === '') {
      const after = endOf(lines, end, (one) => one.trim() === '')
      const following = lines[after] ?? ''
      if (indentOf(following) <= indent) return ITEM.test(following) && indentOf(following) === indent ? after : end
      end = after
    } else if (indentOf(line) > indent + 1 || (!opens(line) && lines[end - 1]?.trim() !== '')) end++
    else return end
  }
  return end
}

const indentOf = (line: string): number => line.length - line.trimStart().length

function readTable(lines: readonly string[], at: number): [Block, number] {
  const end = endOf(lines, at + 2, (one) => one.includes('|'))
  const cells = (line: string): Cell[] =>
    line
      .trim()
      .replace(/^\||\|$/g, '')
      .split(/(?<!\\)\|/)
      .map((cell) => parseInlines(cell.trim().replaceAll('\\|', '|')))
  return [{ kind: 'table', head: cells(lines[at] ?? ''), rows: lines.slice(at + 2, end).map(cells) }, end]
}

/** In order of binding: code, links, citations, strong, emphasis. Every repetition is bounded, so
 *  that no text takes more than linear time. */
const INLINE = new RegExp(
  [
    /(?<tick>`{1,8})(?<code>[^]{0,4000}?[^`])\k<tick>(?!`)/,
    /\[(?<label>[^\][]{1,500})\]\((?<href>[^\s()]{1,2000}(?:\([^\s()]{0,500}\)[^\s()]{0,500})?)\)/,
    /\[(?<cited>\d{1,3}(?:\s?,\s?\d{1,3}){0,20})\]/,
    /\*\*(?<strong>\S(?:[^]{0,2000}?\S)?)\*\*(?!\*)/,
    /(?<![\w*])[*_](?<emphasis>[^\s*_](?:[^*_]{0,1000}[^\s*_])?)[*_](?![\w*])/,
  ]
    .map((part) => part.source)
    .join('|'),
  'g',
)

export function parseInlines(text: string): Inline[] {
  const inlines: Inline[] = []
  let from = 0
  for (const match of text.matchAll(INLINE)) {
    if (match.index > from) inlines.push({ kind: 'text', text: text.slice(from, match.index) })
    inlines.push(...inlineOf(match[0], match.groups ?? {}))
    from = match.index + match[0].length
  }
  if (from < text.length) inlines.push({ kind: 'text', text: text.slice(from) })
  return inlines
}

function inlineOf(whole: string, groups: { readonly [name: string]: string | undefined }): Inline[] {
  const { code, label, href, cited, strong, emphasis } = groups
  if (code !== undefined) return [{ kind: 'code', text: code.trim() === '' ? code : code.replace(/^ (.*) $/s, '$1') }]
  if (label !== undefined && href !== undefined) {
    return isSafeLink(href) ? [{ kind: 'link', href, inlines: parseInlines(label) }] : [{ kind: 'text', text: whole }]
  }
  if (cited !== undefined) return cited.split(',').map((number) => ({ kind: 'citation', number: Number(number) }))
  if (strong !== undefined) return [{ kind: 'strong', inlines: parseInlines(strong) }]
  return [{ kind: 'emphasis', inlines: parseInlines(emphasis ?? '') }]
}

/** Only the open web: no `javascript:`, no `data:`, nothing into this console. */
const isSafeLink = (href: string): boolean => /^https?:\/\/[^/]/i.test(href) && URL.canParse(href)

/** While streaming: text without a marker that is only half there, so that `[1` does not flicker. */
export const withoutHalfMarker = (text: string): string => text.replace(/\s?\[[\d, ]*$/, '')
