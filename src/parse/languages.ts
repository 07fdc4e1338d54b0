/** Where definitions begin in source code. Lines are looked at one by one and by their beginnings:
 *  programs are written with one definition to a line and indented by what they stand in, in any
 *  language, and reading more would need a grammar for each. */

export interface Language {
  /** As in `text/x-python`. */
  readonly name: string
  /** A line that begins a definition; the group `name` is what it defines. */
  readonly definition: RegExp
}

export interface Definition {
  /** Where it begins, with the comments and decorators above it. */
  readonly at: number
  /** Columns of white space before it. */
  readonly indent: number
  /** Its first line, as far as it names things. */
  readonly name: string
}

/** Longer lines are data or were made by a program. */
const LINE_UNITS_MAX = 400
const NAME_UNITS_MAX = 120

export function definitionsOf(text: string, { definition }: Language): Definition[] {
  const found: Definition[] = []
  /** Where a run of comments and decorators that touches the present line begins. */
  let lead = -1
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf('\n', at)
    const end = newline === -1 ? text.length : newline
    const line = end - at > LINE_UNITS_MAX ? '' : text.slice(at, end).trimEnd()
    const begin = line.trimStart()
    if (begin !== '' && definition.test(begin)) {
      found.push({ at: lead === -1 ? at : lead, indent: indentOf(line), name: nameIn(begin) })
      lead = -1
    } else if (!LEAD.test(begin)) lead = -1
    else if (lead === -1) lead = at
    at = end + 1
  }
  return found
}

/** Comments, decorators, attributes. */
const LEAD = /^(?:\/\/|\/\*|\*|#|@|--|;;|\[\w|"""|''')/

function indentOf(line: string): number {
  let columns = 0
  for (let at = 0; at < line.length; at++) {
    const code = line.charCodeAt(at)
    if (code === 0x20) columns++
    else if (code === 0x09) columns += 4
    else break
  }
  return columns
}

const nameIn = (line: string): string =>
  line
    .replace(/(?:\s*(?:[{:]|=>|=|\bdo|\bthen|\bis))+\s*$/, '')
    .replace(/\s*[{]\s*.*$/, '')
    .slice(0, NAME_UNITS_MAX)

// Words before what is defined
const MODIFIERS =
  '(?:(?:export|default|public|private|protected|internal|static|abstract|final|sealed|partial|data|open|override|virtual|inline|extern|async|declare|readonly|suspend|unsafe|constexpr|const|explicit|friend|template\\s*<[^>]{0,80}>|pub(?:\\([^)]{0,40}\\))?|export\\s+default|synchronized|native|required|lazy|implicit|case|mutating|fileprivate|operator|tailrec|external)\\s+)*'
const TYPES =
  'class|interface|enum|struct|trait|impl|namespace|module|object|record|union|protocol|extension|mod|message|service|actor|mixin|contract|library'
const FUNCTIONS = 'function\\s*\\*?|func|fun|fn|def|sub|macro_rules!|proc|method|constructor'
/** Statements that look like the definition of a function, and words that no name can be. */
const STATEMENTS =
  '(?!(?:if|else|for|foreach|while|do|switch|case|catch|return|throw|new|delete|await|yield|typeof|sizeof|using|lock|with|assert|goto|in|not|and|or|print|echo|super|this|self)\\b)'

/** Languages with braces. A function without a word for it, as in C or in a class, is a name with
 *  parentheses on a line that opens a block or is followed by one. */
const BRACES = new RegExp(
  `^(?:${MODIFIERS}(?:${TYPES})\\s+[\\w$<]` +
    `|${MODIFIERS}(?:${FUNCTIONS})(?:\\s*\\([^)]{0,80}\\))?\\s+[\\w$]` +
    `|${MODIFIERS}type\\s+[\\w$]+\\s*(?:<[^>]{0,120}>\\s*)?(?:=|struct|interface)` +
    `|(?:export\\s+)?(?:const|let|var|val)\\s+[\\w$]+\\s*(?::[^=]{0,120})?=\\s*(?:async\\s*)?(?:function\\b|\\(.{0,200}(?:=>|\\{|,)\\s*\\{?$|\\($|[\\w$]+\\s*=>)` +
    `|${MODIFIERS}(?:get\\s+|set\\s+)?${STATEMENTS}(?:[\\w$:<>,.*&?\\[\\]]{1,80}\\s+){0,4}[*&]{0,2}[~#]?[\\w$:]+\\s*(?:<[^>]{0,80}>)?\\([^;]{0,250}\\{$` +
    `|${STATEMENTS}(?:[\\w:<>,*&]{1,80}\\s+){1,4}[*&]{0,2}[\\w:~]+\\([^;={}]{0,250}\\)(?:\\s*(?:const|noexcept|override))*$)`,
)
const PYTHON = /^(?:async\s+)?(?:def|class)\s+\w+\s*(?:[(:[]|$)/
const RUBY = /^(?:def|class|module)\s+[\w.:<]/
const SHELL = /^(?:function\s+[\w:-]+|[\w:-]+\s*\(\)\s*\{?)/
const LUA = /^(?:local\s+)?function\s+[\w.:]+|^(?:local\s+)?[\w.]+\s*=\s*function\b/
const ELIXIR = /^(?:defmodule|defmacrop?|defp?|defprotocol|defimpl|defstruct)\s+[\w.]/
const SQL =
  /^(?:create|alter)\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+|unique\s+|materialized\s+)?(?:table|view|function|procedure|trigger|index|type|schema|sequence)\b/i
const SECTIONS = /^\[{1,2}[^\]]{1,200}\]{1,2}\s*(?:[#;].*)?$/
const KEYS = /^(?:- )?[\w"'./-]{1,100}:(?:\s*[|>][-+]?)?$/
const R = /^[\w.]+\s*(?:<-|=)\s*function\b/
const HASKELL = /^(?:data|newtype|type|class|instance|module)\s+[A-Z]|^[a-z][\w']*\s*::/
const LISP = /^\((?:defn?-?|defmacro|defmulti|defmethod|defprotocol|defrecord|defun|define|defclass|defvar|ns)\s/
const PERL = /^(?:sub|package)\s+[\w:]+/
const MAKE = /^[\w./%$(){}-]+(?:\s+[\w./%$(){}-]+)*\s*::?(?!=)/
const DOCKER = /^FROM\s/i
const HCL = /^(?:resource|data|module|variable|output|provider|locals|terraform)\b.*\{$/
const GRAPHQL =
  /^(?:extend\s+)?(?:type|interface|enum|input|union|scalar|query|mutation|subscription|fragment|schema)\b/

const language = (name: string, definition: RegExp): Language => ({ name, definition })

const BY_EXTENSION: ReadonlyMap<string, Language> = new Map(
  Object.entries({
    'js mjs cjs jsx': language('javascript', BRACES),
    'ts mts cts tsx': language('typescript', BRACES),
    java: language('java', BRACES),
    'kt kts': language('kotlin', BRACES),
    'scala sc': language('scala', BRACES),
    groovy: language('groovy', BRACES),
    go: language('go', BRACES),
    rs: language('rust', BRACES),
    'c h': language('c', BRACES),
    'cc cpp cxx hpp hh hxx cu': language('c++', BRACES),
    cs: language('csharp', BRACES),
    swift: language('swift', BRACES),
    dart: language('dart', BRACES),
    php: language('php', BRACES),
    zig: language('zig', BRACES),
    sol: language('solidity', BRACES),
    proto: language('protobuf', BRACES),
    'py pyi': language('python', PYTHON),
    'rb rake': language('ruby', RUBY),
    'sh bash zsh ksh': language('shellscript', SHELL),
    lua: language('lua', LUA),
    'ex exs': language('elixir', ELIXIR),
    sql: language('sql', SQL),
    r: language('r', R),
    'hs elm': language('haskell', HASKELL),
    'clj cljs lisp el scm': language('lisp', LISP),
    'pl pm': language('perl', PERL),
    'tf hcl': language('hcl', HCL),
    'graphql gql': language('graphql', GRAPHQL),
    'yaml yml': language('yaml', KEYS),
    'toml ini cfg conf properties': language('ini', SECTIONS),
  }).flatMap(([extensions, one]) => extensions.split(' ').map((extension) => [extension, one] as const)),
)

const BY_NAME: ReadonlyMap<string, Language> = new Map([
  ['makefile', language('makefile', MAKE)],
  ['dockerfile', language('dockerfile', DOCKER)],
  ['containerfile', language('dockerfile', DOCKER)],
])

/** The language of a file by its name, or by the program it says that it is run with. */
export function languageOf(name: string, extension: string, text: string): Language | undefined {
  const known = BY_EXTENSION.get(extension) ?? BY_NAME.get(name.toLowerCase())
  if (known !== undefined || extension !== '') return known
  const program = /^#!.{0,100}?\b(python|node|ruby|bash|zsh|sh|perl|lua)[\d.]*\b/.exec(text.slice(0, 120))?.[1]
  return program === undefined ? undefined : BY_EXTENSION.get(SHEBANGS[program] ?? program)
}

const SHEBANGS: Readonly<Record<string, string>> = { python: 'py', node: 'js', ruby: 'rb', perl: 'pl' }
