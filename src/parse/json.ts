import { Refusal } from '../base/errors.ts'
import { isObject, type Json, jsonReason, type JsonObject } from '../base/json.ts'
import { Extract, type Extracted } from './extract.ts'
import { type Deadline, HEADING_UNITS_MAX, NESTING_MAX, tooDeep, tooLong, tooSlow, unreadable } from './limits.ts'

/** JSON as text that can be searched: members of objects as `name: value` lines, members that hold
 *  others as headings, elements of lists each by itself. Lines below the last heading carry the
 *  path to their value, so that a piece of the text stands alone. */
export function parseJson(source: string, deadline: Deadline): Extracted | Refusal {
  const value = readJson(source)
  if (value instanceof Refusal) return value
  return write((writer) => writer.document(value), deadline)
}

/** A value on every line (JSON Lines, ndjson). */
export function parseJsonLines(source: string, deadline: Deadline): Extracted | Refusal {
  return write((writer) => {
    let number = 0
    for (const line of source.split('\n')) {
      number++
      if (line.trim() === '') continue
      const value = readJson(line, `line ${number} of it`)
      if (value instanceof Refusal) return value
      writer.record(value)
      const refused = writer.refused()
      if (refused !== undefined) return refused
    }
    return undefined
  }, deadline)
}

function write(work: (writer: Writer) => Refusal | undefined, deadline: Deadline): Extracted | Refusal {
  const writer = new Writer(deadline)
  const refused = work(writer) ?? writer.refused()
  return refused ?? writer.extract.finish()
}

/** `undefined` where `text` nests deeper than allowed, else the value. Programs' own settings have
 *  comments and commas too many. */
function readJson(source: string, what = 'it'): Json | Refusal {
  if (nestingOf(source) > NESTING_MAX) return tooDeep()
  try {
    return JSON.parse(source) as Json
  } catch (error) {
    const bare = withoutComments(source)
    try {
      if (bare !== source) return JSON.parse(bare) as Json
    } catch {
      // The first complaint is the one to tell.
    }
    return unreadable(`${what} is not JSON (${jsonReason(error)})`)
  }
}

/** The brackets open at once at most, outside of strings. */
function nestingOf(source: string): number {
  let depth = 0
  let most = 0
  for (let at = 0; at < source.length; at++) {
    const code = source.charCodeAt(at)
    if (code === 0x5b || code === 0x7b) {
      if (++depth > most) most = depth
    } else if (code === 0x5d || code === 0x7d) depth--
    else if (code === 0x22) at = stringEnd(source, at)
  }
  return most
}

function stringEnd(source: string, start: number): number {
  for (let at = start + 1; at < source.length; at++) {
    const code = source.charCodeAt(at)
    if (code === 0x5c) at++
    else if (code === 0x22) return at
  }
  return source.length
}

/** Without comments, and then without commas before a closing bracket; step by step, since a
 *  pattern would look for the end of each comment that has none. */
const withoutComments = (source: string): string => without(without(source, commentEnd), commaEnd)

/** Without what `endOf` finds outside of strings: it says where what begins at a place ends. */
function without(source: string, endOf: (source: string, at: number) => number): string {
  const parts: string[] = []
  let from = 0
  for (let at = 0; at < source.length; at++) {
    if (source.charCodeAt(at) === 0x22) {
      at = stringEnd(source, at)
      continue
    }
    const end = endOf(source, at)
    if (end === at) continue
    parts.push(source.slice(from, at))
    from = end
    at = end - 1
  }
  parts.push(source.slice(from))
  return parts.join('')
}

function commentEnd(source: string, at: number): number {
  if (source.charCodeAt(at) !== 0x2f) return at
  const next = source.charCodeAt(at + 1)
  if (next !== 0x2f && next !== 0x2a) return at
  const close = next === 0x2f ? source.indexOf('\n', at) : source.indexOf('*/', at + 2)
  return close === -1 ? source.length : next === 0x2f ? close : close + 2
}

function commaEnd(source: string, at: number): number {
  if (source.charCodeAt(at) !== 0x2c) return at
  let next = at + 1
  while (next < source.length && source.charCodeAt(next) <= 0x20) next++
  const code = source.charCodeAt(next)
  return code === 0x5d || code === 0x7d ? at + 1 : at
}

/** Headings go no deeper; below, paths. */
const HEADINGS_DEEP = 5
/** Lists of values that fit on one line are written on one. */
const INLINE_UNITS_MAX = 200
const VALUES_BETWEEN_CHECKS = 1_000

class Writer {
  readonly extract = new Extract()
  readonly #deadline: Deadline
  #lines: string[] = []
  #units = 0
  #values = 0
  #late = false

  constructor(deadline: Deadline) {
    this.#deadline = deadline
  }

  refused(): Refusal | undefined {
    if (this.#late || this.#deadline.passed()) return tooSlow(this.#deadline)
    return this.extract.full ? tooLong() : undefined
  }

  document(value: Json): undefined {
    this.#value('', value, 1)
    this.#flush()
  }

  /** One of many of its kind. */
  record(value: Json): void {
    if (isObject(value)) this.#flat('', value)
    else this.#value('', value, HEADINGS_DEEP + 1)
    this.#flush()
  }

  get #stopped(): boolean {
    if (++this.#values % VALUES_BETWEEN_CHECKS === 0 && this.#deadline.passed()) this.#late = true
    return this.#late || this.extract.full
  }

  #value(path: string, value: Json, depth: number): void {
    if (this.#stopped) return
    if (Array.isArray(value)) this.#list(path, value as readonly Json[], depth)
    else if (isObject(value)) this.#members(path, value, depth)
    else this.#line(path, value)
  }

  /** What an object says itself before what its parts say. */
  #members(path: string, object: JsonObject, depth: number): void {
    if (depth > HEADINGS_DEEP) return this.#flat(path, object)
    const parts: [string, Json][] = []
    for (const [name, value] of Object.entries(object)) {
      if (isPlain(value)) this.#line(name, value)
      else if (value !== undefined) parts.push([name, value])
    }
    this.#flush()
    for (const [name, value] of parts) {
      if (this.#stopped) return
      this.extract.add('heading', name, { level: depth })
      this.#value('', value, depth + 1)
      this.#flush()
    }
  }

  #list(path: string, list: readonly Json[], depth: number): void {
    for (const value of list) {
      if (this.#stopped) return
      if (isObject(value)) {
        this.#flat(path, value)
        if (path === '') this.#flush()
      } else if (Array.isArray(value)) this.#list(path, value as readonly Json[], depth)
      else this.#line(path, value)
    }
  }

  /** An object and all in it as lines with their paths. */
  #flat(path: string, object: JsonObject): void {
    for (const [name, value] of Object.entries(object)) {
      if (value === undefined) continue
      if (this.#stopped) return
      const inner = path === '' ? name : `${path}.${name}`.slice(-HEADING_UNITS_MAX)
      if (isPlain(value)) this.#line(inner, value)
      else if (isObject(value)) this.#flat(inner, value)
      else this.#list(inner, value as readonly Json[], HEADINGS_DEEP + 1)
    }
  }

  #line(path: string, value: Json | undefined): void {
    const text = plain(value)
    if (text === '') return
    const line = path === '' ? text : `${path.slice(0, HEADING_UNITS_MAX)}: ${text}`
    this.#lines.push(line)
    this.#units += line.length
    if (this.#units > FLUSH_UNITS) this.#flush()
  }

  #flush(): void {
    if (this.#lines.length > 0) this.extract.add('list', this.#lines.join('\n'))
    this.#lines = []
    this.#units = 0
  }
}

/** Lines are handed over in blocks of about this size, so that the text's limit is noticed. */
const FLUSH_UNITS = 2 ** 20

const isScalar = (value: Json | undefined): boolean => typeof value !== 'object' || value === null

const isPlain = (value: Json | undefined): boolean =>
  isScalar(value) ||
  (Array.isArray(value) &&
    value.length <= INLINE_UNITS_MAX &&
    (value as readonly Json[]).every(isScalar) &&
    plain(value).length <= INLINE_UNITS_MAX)

/** Line ends inside of a value are kept: it may be a whole text. */
function plain(value: Json | undefined): string {
  if (Array.isArray(value)) return (value as readonly Json[]).map(plain).filter(Boolean).join(', ')
  return value === null || value === undefined ? '' : String(value).trim()
}
