import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node, type Pair } from 'yaml'
import type { ConfigProblem, Path, Place } from './problem.ts'

/** Reads the file's text into plain values, and remembers where each stood. The library parses;
 *  what a hostile or slipped file can do is bounded here: size, depth, aliases, duplicates. */

const FILE_BYTES_MAX = 2 ** 20
const DEPTH_MAX = 32
/** Each use of an anchor counts, also one inside another: a bomb of nested anchors ends here. */
const ALIASES_MAX = 100

export interface YamlFile {
  /** Objects have no prototype. `{}` for an empty file. */
  readonly value: unknown
  readonly problems: readonly ConfigProblem[]
  /** Where the value at `path` stands, or its name when `of` is `name`; the nearest that
   *  exists above it otherwise. */
  locate(path: Path, of: 'name' | 'value'): Place | undefined
}

export function readYaml(bytes: Uint8Array): YamlFile {
  if (bytes.length > FILE_BYTES_MAX) {
    return unreadable({
      path: [],
      wrong: `is larger than ${FILE_BYTES_MAX} bytes`,
      remedy: 'Is it the right file? HEADWORKS_CONFIG names it.',
    })
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return unreadable({ path: [], wrong: 'is not UTF-8 text', remedy: 'Save it as UTF-8.' })
  }
  const lines = new LineCounter()
  // Duplicates are found below: the library's own check is quadratic.
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
    logLevel: 'error',
  })
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const broken = document.errors[0] ?? document.warnings[0]
  if (broken !== undefined) {
    const [wrong, remedy] = SYNTAX[broken.code] ?? [
      `is not valid YAML: ${firstLine(broken.message)}`,
      'Correct the line.',
    ]
    return unreadable({ path: [], place: place(broken.pos[0]), wrong, remedy })
  }
  const reader = new Reader(document, place)
  const value = document.contents === null ? nothing() : reader.read(document.contents, [], 0)
  return {
    value: value ?? nothing(),
    problems: reader.problems,
    locate: (path, of) => locate(document, path, of, place),
  }
}

const nothing = (): object => Object.create(null) as object
const firstLine = (message: string): string => (message.split('\n')[0] ?? '').replace(/\.$/, '')

function unreadable(problem: ConfigProblem): YamlFile {
  return { value: nothing(), problems: [problem], locate: () => problem.place }
}

/** The library's complaints that people meet, in words that help. */
const SYNTAX: { readonly [code: string]: readonly [wrong: string, remedy: string] } = {
  TAB_AS_INDENT: ['is indented with a tab', 'YAML wants spaces: replace the tabs, two spaces each.'],
  BAD_INDENT: [
    'is indented so that it belongs nowhere, or a bracket above it is not closed',
    'Line it up with its neighbours and close what was opened.',
  ],
  MISSING_CHAR: ['lacks a closing quote, bracket or colon', 'Close what was opened on this line or above it.'],
  MULTIPLE_DOCS: ['begins a second document', 'Keep one document: take out the line "---".'],
  TAG_RESOLVE_FAILED: ['has a tag (!...) that means nothing here', 'Take the tag out.'],
  RESOURCE_EXHAUSTION: [`nests deeper than ${DEPTH_MAX} levels`, 'Flatten it.'],
  BAD_ALIAS: ['has an alias (*...) that is not well formed', 'Put a text that begins with "*" in quotes.'],
  BAD_SCALAR_START: ['has a text that begins with a character YAML keeps for itself', 'Put the text in quotes.'],
  MULTILINE_IMPLICIT_KEY: [
    'has a name that runs over several lines, or a line without its colon',
    'Write `name: value`.',
  ],
  BLOCK_AS_IMPLICIT_KEY: ['has two "name:" on one line', 'Write each on a line of its own, or put the text in quotes.'],
}

class Reader {
  readonly problems: ConfigProblem[] = []
  readonly #document: Document.Parsed
  readonly #place: (offset: number) => Place
  #aliases = 0

  constructor(document: unknown, place: (offset: number) => Place) {
    this.#document = document as Document.Parsed
    this.#place = place
  }

  read(node: Node | null, path: Path, depth: number): unknown {
    if (node === null) return null
    if (depth > DEPTH_MAX) return this.#say(node, path, `nests deeper than ${DEPTH_MAX} levels`, 'Flatten it.')
    if (isScalar(node)) return node.value
    if (isAlias(node)) {
      if (this.#aliases++ >= ALIASES_MAX) {
        if (this.#aliases === ALIASES_MAX + 1)
          this.#say(node, path, `uses anchors more than ${ALIASES_MAX} times`, 'Write the values out.')
        return null
      }
      const target = node.resolve(this.#document)
      if (target === undefined)
        return this.#say(
          node,
          path,
          `uses the anchor *${node.source}, which is not defined above`,
          'Define it, or put the text in quotes.',
        )
      return this.read(target, path, depth + 1)
    }
    if (isSeq(node)) return node.items.map((item, at) => this.read(item as Node | null, [...path, at], depth + 1))
    return isMap(node) ? this.#mapping(node.items as Pair<Node, Node | null>[], path, depth) : null
  }

  #mapping(pairs: readonly Pair<Node, Node | null>[], path: Path, depth: number): object {
    const out = Object.create(null) as { [name: string]: unknown }
    for (const { key, value } of pairs) {
      const name = isScalar(key) ? String(key.value) : undefined
      if (name === undefined || name === '__proto__' || name === '<<') {
        this.#say(
          key,
          path,
          name === undefined ? 'has a name that is no text' : `has "${name}", which cannot be a name`,
          'Write `name: value`.',
        )
      } else if (Object.hasOwn(out, name)) {
        this.#say(key, [...path, name], 'is given twice', 'Keep one of the two.')
      } else {
        out[name] = this.read(value, [...path, name], depth + 1)
      }
    }
    return out
  }

  #say(node: Node | null, path: Path, wrong: string, remedy: string): null {
    const offset = node?.range?.[0]
    this.problems.push({ path, wrong, remedy, ...(offset === undefined ? {} : { place: this.#place(offset) }) })
    return null
  }
}

function locate(
  document: unknown,
  path: Path,
  of: 'name' | 'value',
  place: (offset: number) => Place,
): Place | undefined {
  const root = document as Document.Parsed
  let node = root.contents as Node | null
  let offset = node?.range?.[0] ?? undefined
  for (const [depth, part] of path.entries()) {
    while (isAlias(node)) node = node.resolve(root) ?? null
    if (isMap(node)) {
      const pair = (node.items as Pair<Node, Node | null>[]).find(
        ({ key }) => isScalar(key) && String(key.value) === part,
      )
      if (pair === undefined) break
      const last = depth === path.length - 1
      node = pair.value
      offset = (last && of === 'value' ? node?.range?.[0] : undefined) ?? pair.key.range?.[0] ?? offset
    } else if (isSeq(node) && typeof part === 'number') {
      node = (node.items[part] as Node | undefined) ?? null
      offset = node?.range?.[0] ?? offset
    } else break
  }
  return offset === undefined ? undefined : place(offset)
}
