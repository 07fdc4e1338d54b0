import { Refusal } from '../base/errors.ts'
import { type Deadline, tooSlow, unreadable } from './limits.ts'

/** Internet messages (RFC 5322) and their parts (MIME, RFC 2045 to 2047, 2231), read in place: a
 *  part is a range of the source until its content is asked for. */

export interface Part {
  readonly headers: Headers
  /** `type/subtype`, in lower case. */
  readonly type: string
  readonly parameters: ReadonlyMap<string, string>
  /** Where its body stands in the source: [start, end). */
  readonly start: number
  readonly end: number
  /** Of a multipart. */
  readonly parts: readonly Part[]
}

/** By lower case name; of several of one name the first. */
export type Headers = ReadonlyMap<string, string>

/** Multiparts inside multiparts. Programs write five. */
const DEPTH_MAX = 50
/** Parts of one message. */
const PARTS_MAX = 1_000
/** Header lines of one part, and all their characters. */
const HEADERS_MAX = 1_000
const HEADER_UNITS_MAX = 2 ** 20

/** Reads a message's structure. `source` holds its bytes as Latin-1 characters. */
export function readMessage(source: string, deadline: Deadline): Part | Refusal {
  const state = { parts: 0, deadline }
  return readPart(source, 0, source.length, 0, state)
}

interface State {
  parts: number
  readonly deadline: Deadline
}

function readPart(source: string, start: number, end: number, depth: number, state: State): Part | Refusal {
  if (depth > DEPTH_MAX) return unreadable(`its parts nest deeper than ${DEPTH_MAX} levels`)
  if (++state.parts > PARTS_MAX) return unreadable(`it has more than ${PARTS_MAX} parts`)
  if (state.deadline.passed()) return tooSlow(state.deadline)
  const head = readHeaders(source, start, end)
  if (head instanceof Refusal) return head
  const { value, parameters } = parametersOf(head.headers.get('content-type') ?? 'text/plain')
  const part = { headers: head.headers, type: value, parameters, start: head.bodyAt, end, parts: [] as Part[] }
  const boundary = parameters.get('boundary') ?? ''
  if (!value.startsWith('multipart/') || boundary === '') return part
  for (const [from, to] of between(source, part.start, end, boundary)) {
    const inner = readPart(source, from, to, depth + 1, state)
    if (inner instanceof Refusal) return inner
    part.parts.push(inner)
  }
  return part
}

function readHeaders(source: string, start: number, end: number): { headers: Headers; bodyAt: number } | Refusal {
  const headers = new Map<string, string>()
  let count = 0
  let name = ''
  let lines: string[] = []
  const keep = (): void => {
    if (name !== '' && !headers.has(name)) headers.set(name, lines.join('').trim())
    lines = []
  }
  let at = start
  while (at < end) {
    const found = source.indexOf('\n', at)
    const next = found === -1 || found >= end ? end : found + 1
    const line = source.slice(at, next).replace(/\r?\n$/, '')
    at = next
    if (line === '') break
    if (at - start > HEADER_UNITS_MAX) return unreadable(`its header is longer than ${HEADER_UNITS_MAX} bytes`)
    if (line.charCodeAt(0) === 0x20 || line.charCodeAt(0) === 0x09) {
      lines.push(` ${line.trimStart()}`)
      continue
    }
    keep()
    if (++count > HEADERS_MAX) return unreadable(`it has more than ${HEADERS_MAX} header lines`)
    const colon = line.indexOf(':')
    name = colon === -1 ? '' : line.slice(0, colon).trim().toLowerCase()
    if (colon !== -1) lines.push(line.slice(colon + 1))
  }
  keep()
  return { headers, bodyAt: at }
}

/** The ranges between lines that begin with the boundary (RFC 2046, 5.1.1). */
function* between(source: string, start: number, end: number, boundary: string): Generator<[number, number]> {
  const mark = `--${boundary}`
  let from = -1
  for (let at = start; at < end;) {
    const found = source.indexOf(mark, at)
    if (found === -1 || found >= end) break
    at = found + mark.length
    if (found > start && source.charCodeAt(found - 1) !== 0x0a) continue
    const closes = source.startsWith('--', at)
    // A longer boundary that begins alike is another one.
    if (!closes && !/^[ \t]*(?:\r?\n|$)/.test(source.slice(at, at + 80))) continue
    if (from !== -1) yield [from, Math.max(from, lineStart(source, found))]
    if (closes) return
    const lineEnd = source.indexOf('\n', at)
    if (lineEnd === -1) return
    from = at = lineEnd + 1
  }
  // Cut off: what there is of the last part.
  if (from !== -1 && from < end) yield [from, end]
}

/** Before the line end that belongs to the boundary. */
function lineStart(source: string, boundaryAt: number): number {
  const end = boundaryAt - 1
  return source.charCodeAt(end - 1) === 0x0d ? end - 1 : end
}

/** `text/plain; charset="utf-8"`, with values in pieces and in other encodings (RFC 2231). */
export function parametersOf(header: string): { value: string; parameters: ReadonlyMap<string, string> } {
  const first = header.indexOf(';')
  const value = (first === -1 ? header : header.slice(0, first)).trim().toLowerCase()
  const pieces = new Map<string, string[]>()
  if (first !== -1) {
    const pattern = /;\s*([^\s=;"]{1,100})\s*=\s*(?:"((?:[^"\\]|\\.){0,4000})"|([^;"\s]{0,4000}))/g
    pattern.lastIndex = first
    for (const [, key = '', quoted, bare] of header.slice(0, PARAMETERS_UNITS_MAX).matchAll(pattern)) {
      const [, name = '', encoded] = /^([^*]+)(?:\*\d{1,3})?(\*?)$/.exec(key.toLowerCase()) ?? []
      const text = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? ''
      const found = pieces.get(name) ?? []
      found.push(encoded === '*' ? text : text.replaceAll('%', '%25'))
      pieces.set(name, found)
    }
  }
  return {
    value,
    parameters: new Map([...pieces].map(([name, texts]) => [name, wordsOf(percentDecoded(texts.join('')))])),
  }
}

const PARAMETERS_UNITS_MAX = 16_384

/** `utf-8'en'%e2%82%ac`; what is not encoded stays. */
function percentDecoded(text: string): string {
  const [, charset, rest] = /^([\w-]{1,40})'[\w-]*'(.*)$/s.exec(text) ?? [undefined, 'latin1', text]
  const bytes = Buffer.from(
    (rest ?? text).replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  )
  return charset === 'latin1' ? bytes.toString('latin1') : decoded(bytes, charset)
}

/** The bytes of a part's body without its transfer encoding (RFC 2045, 6). */
export function contentOf(source: string, part: Part): Buffer {
  const raw = source.slice(part.start, part.end)
  switch ((part.headers.get('content-transfer-encoding') ?? '').toLowerCase()) {
    case 'base64':
      return Buffer.from(raw, 'base64')
    case 'quoted-printable':
      return quotedPrintable(raw)
    default:
      return Buffer.from(raw, 'latin1')
  }
}

const quotedPrintable = (raw: string): Buffer =>
  Buffer.from(
    raw
      .replace(/(?<![ \t])[ \t]+(?=\r?\n)/g, '')
      .replace(/=\r?\n/g, '')
      .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  )

/** A part's text in its own charset; one that nobody knows, or that is wrong, is guessed. */
export function textOf(source: string, part: Part): string {
  return decoded(contentOf(source, part), part.parameters.get('charset') ?? '').replace(/\r\n?/g, '\n')
}

function decoded(bytes: Uint8Array, charset = ''): string {
  const label = charset.toLowerCase() === 'us-ascii' ? '' : charset
  for (const one of [label, 'utf-8']) {
    if (one === '') continue
    try {
      return new TextDecoder(one, { fatal: one !== label || /^utf-?8$/i.test(one) }).decode(bytes)
    } catch {
      // The next.
    }
  }
  return new TextDecoder('windows-1252').decode(bytes)
}

/** A header's text with its encoded words (RFC 2047): `=?utf-8?q?Gr=C3=BC=C3=9Fe?=`. */
export function wordsOf(header: string): string {
  const joined = header
    .slice(0, HEADER_UNITS_SHOWN)
    .replace(/(=\?[\w-]{1,40}(?:\*[\w-]*)?\?[bq]\?[^?]{0,1000}\?=)\s+(?==\?)/gi, '$1')
  const text = joined.replace(
    /=\?([\w-]{1,40})(?:\*[\w-]*)?\?([bq])\?([^?]{0,1000})\?=/gi,
    (_, charset: string, encoding: string, body: string) =>
      decoded(
        encoding.toLowerCase() === 'b' ? Buffer.from(body, 'base64') : quotedPrintable(body.replaceAll('_', ' ')),
        charset,
      ),
  )
  // Bytes that stand there as they are, against the rules, are UTF-8 more often than not.
  return /[\x80-\xff]/.test(text) && !/[^\x00-\xff]/.test(text) ? decoded(Buffer.from(text, 'latin1')) : text
}

/** Of one header line. */
const HEADER_UNITS_SHOWN = 4_000
