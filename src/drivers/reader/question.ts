import { type Analyzer, STOP_TERMS } from '../../base/words.ts'

/** What a question wants, in words and in kind. */
export interface Question {
  /** Terms with their weights: 1, less for words that frame a question or come from an earlier one. */
  readonly terms: ReadonlyMap<string, number>
  /** Neighbouring terms, as `a b`: texts that keep them together are nearer. */
  readonly pairs: ReadonlySet<string>
  /** Terms written as names are: with a capital, a digit or in quotes. */
  readonly names: ReadonlySet<string>
  readonly kind: QuestionKind
}

export type QuestionKind = 'define' | 'how' | 'why' | 'number' | 'where' | 'list' | 'other'

/** Words of asking rather than of the thing asked about. */
const FRAME_WORDS =
  'tell explain describe mean meaning definition happen work need want wish way possible know find use using get make give show list call called many much long often ' +
  'different difference example thing kind type sort exactly actually really allow support supported available there exist say go able put take set look like see ' +
  'suitable good best better right wrong handle handled manage become come keep try tried time second place own new real various main important'

const FRAME_WEIGHT = 0.35

/** What is done matters less than what it is done to. */
const ACTION_WORDS =
  'change create add remove delete configure update edit start stop run open compute count handle return send write'
const ACTION_WEIGHT = 0.7

/** The words of the question before, when the present one can hardly stand alone. */
const EARLIER_WEIGHT = 0.45
const ALONE_TERMS_MIN = 3

/** Tried in order. */
const KINDS: readonly (readonly [QuestionKind, RegExp])[] = [
  [
    'list',
    /^(?:list|name|enumerate)\b|\b(?:which|what)\b.*\b(?:are there|are (?:the|all)|exist|formats|kinds|types|options|ports|roles|commands|fields|files|steps|stages)\b/i,
  ],
  [
    'number',
    /\bhow (?:many|much|long|often|large|big|fast|old|far|high)\b|\b(?:limit|maximum|minimum|default|size|price|cost|percentage|number of|timeout|version|port)\b/i,
  ],
  ['why', /\bwhy\b|\breasons?\b|\bhow come\b|\bpurpose\b/i],
  [
    'how',
    /\bhow (?:do|can|could|should|would|to|does one)\b|\bsteps to\b|\bway to\b|^(?:install|configure|create|add|remove|run|start|set up)\b/i,
  ],
  ['where', /\bwhere\b|\bwhich (?:file|folder|directory|page|path)\b/i],
  [
    'define',
    /^(?:so |and )?(?:what|who)(?:'s| is| are| was| were)\b|\bdefin(?:e|ition)\b|\bmeans?\b|\bmeaning\b|\bwhat does\b|^(?:explain|describe)\b/i,
  ],
]

/** Of a long question the first words count. */
const TERMS_MAX = 48

export function readQuestion(analyzer: Analyzer, text: string, earlier: readonly string[]): Question {
  const termsOf = (words: string): Set<string> => new Set(words.split(' ').map((word) => analyzer.term(word)))
  const [frame, action] = [termsOf(FRAME_WORDS), termsOf(ACTION_WORDS)]
  const words = analyzer.terms(text)
  const topical = words.filter((term) => !STOP_TERMS.has(term)).slice(0, TERMS_MAX)
  const terms = new Map<string, number>()
  for (const term of topical) terms.set(term, frame.has(term) ? FRAME_WEIGHT : action.has(term) ? ACTION_WEIGHT : 1)
  const heavy = topical.filter((term) => !frame.has(term)).length
  if (heavy < ALONE_TERMS_MIN && leansBack(text)) {
    for (const term of analyzer.terms(earlier[0] ?? '')) {
      if (!STOP_TERMS.has(term) && !frame.has(term) && !terms.has(term)) terms.set(term, EARLIER_WEIGHT)
    }
  }
  if (heavy === 0) for (const term of terms.keys()) terms.set(term, 1)
  if (terms.size === 0) for (const term of words) terms.set(term, 1)
  const pairs = new Set(topical.slice(1).map((term, at) => `${topical[at]} ${term}`))
  return {
    terms,
    pairs,
    names: namesIn(analyzer, text),
    kind: KINDS.find(([, pattern]) => pattern.test(text))?.[0] ?? 'other',
  }
}

/** The first word has its capital from its place. */
function namesIn(analyzer: Analyzer, text: string): Set<string> {
  const names =
    text.slice(text.search(/\s|$/)).match(/[\p{L}\p{N}]*(?:\p{Lu}|\p{N})[\p{L}\p{N}]*|(?<=[`"“])[^`"”]+(?=[`"”])/gu) ??
    []
  return new Set(names.flatMap((name) => analyzer.terms(name)))
}

/** "And how long does it last?" */
const leansBack = (text: string): boolean =>
  /^(?:and|but|or|so|what about|how about|then|also)\b/i.test(text) ||
  /\b(?:it|its|they|them|their|that|this|those|these|there|one|ones|he|she)\b/i.test(text)

/** Words that one text uses where another uses its neighbour. Pairs of plain technical English, kept
 *  short: a wrong synonym costs more than a missing one. */
const SYNONYMS = [
  'delete remove drop erase',
  'start launch begin run boot',
  'stop end quit shutdown terminate',
  'create make add generate',
  'change modify edit update alter',
  'configure configuration config setting settings set',
  'install setup',
  'error fault failure fail problem bug',
  'limit maximum max bound cap most',
  'minimum min least',
  'fast quick speed latency performance',
  'price cost money',
  'folder directory',
  'file document',
  'key token credential secret',
  'second sec s',
  'question query ask',
  'speak support understand',
  'contain hold include',
  'read parse',
  'cite citation quote',
  'answer reply response',
  'store save persist keep storage hold',
  'database store',
  'server machine host',
  'test check verify',
  'choose select pick',
  'show display print',
  'connect attach link',
  'license licence',
  'crash kill die',
  'disallow forbid forbidden prohibit avoid',
  'allow permit let may',
  'depend dependency require need',
] as const

/** The share of a match that a neighbour of the word earns. */
export const SYNONYM_CREDIT = 0.7

/** For each term of the question, the terms that stand for it. */
export function synonymsOf(analyzer: Analyzer, terms: Iterable<string>): Map<string, ReadonlySet<string>> {
  const groups = SYNONYMS.map((group) => new Set(group.split(' ').map((word) => analyzer.term(word))))
  const found = new Map<string, ReadonlySet<string>>()
  for (const term of terms) {
    const neighbours = groups
      .filter((group) => group.has(term))
      .reduce((all, group) => all.union(group), new Set<string>())
    neighbours.delete(term)
    if (neighbours.size > 0) found.set(term, neighbours)
  }
  return found
}
