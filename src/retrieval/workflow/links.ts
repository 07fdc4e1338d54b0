/** What an answer may lead its reader to, and a filter that holds a stream to it.
 *
 *  A poisoned document can talk a model into an answer whose picture or link carries the
 *  conversation to a server of the attacker: a picture when it is shown, a link when it is clicked.
 *  So a link must stand in the sources letter for letter, where it cannot carry anything that was
 *  said since, and a picture, which is fetched unasked, must be of a host that the policy names:
 *  which of several prepared pictures is fetched would tell something, too. */

export interface LinkPolicy {
  readonly links: 'sources' | 'any' | 'none'
  /** Hosts that may always be linked to, and shown pictures of. */
  readonly hosts: readonly string[]
}

/** What links and pictures may lead to, for one answer. */
export class LinkRules {
  readonly #policy: LinkPolicy
  readonly #known = new Set<string>()

  constructor(policy: LinkPolicy, sources: readonly { readonly uri: string; readonly text: string }[]) {
    this.#policy = policy
    if (policy.links !== 'sources') return
    for (const { uri, text } of sources) {
      this.#known.add(uri)
      for (const [url] of text.matchAll(BARE)) for (const form of formsOf(url)) this.#known.add(form)
    }
  }

  /** Everything passes. */
  get isOpen(): boolean {
    return this.#policy.links === 'any'
  }

  allows(target: string, use: 'link' | 'picture'): boolean {
    const { links, hosts } = this.#policy
    if (links === 'none') return false
    // On the page that shows the answer, and without a query that could carry anything.
    if (RELATIVE.test(target) && !/^(?:\/\/|www\.)/i.test(target)) return true
    const url = URL.parse(/^www\./i.test(target) ? `http://${target}` : target)
    const isWeb = url !== null && /^(?:https?|ftp):$/.test(url.protocol)
    if (isWeb && url.username === '' && hosts.includes(url.host)) return true
    return use === 'link' && this.#known.has(target)
  }
}

const RELATIVE = /^[\p{L}\p{N}_./#%-]*$/u

/** Where a link may begin that needs no marks around it. */
const SCHEME = /(?:https?|ftps?|wss?|file):[\\/]|www\./iy
const BARE = /(?:(?:https?|ftps?|wss?|file):[\\/]|www\.)[^\s<>]*/gi
const STARTS = ['http:/', 'https:/', 'ftp:/', 'ftps:/', 'ws:/', 'wss:/', 'file:/', 'www.']
const START_UNITS_MAX = 6

/** What closes a link that stands in text. */
const CLOSER = /[)\]}"'`|*\\]/
const TRAILING = /[.,;:!?)\]}"'`|*_~\\]+$/

/** A run that begins like a link, and what of it may be the link. */
function formsOf(run: string): string[] {
  const head = run.slice(0, closedAt(run))
  return [run, run.replace(TRAILING, ''), head, head.replace(TRAILING, '')]
}

function closedAt(run: string): number {
  const scheme = SCHEME_UNITS.exec(run)?.[0].length ?? 0
  const at = run.slice(scheme).search(CLOSER)
  return at < 0 ? run.length : at + scheme
}
const SCHEME_UNITS = /^(?:[a-z]+:[\\/]+|www\.)/i

/** No link or tag is held back longer than this: one that is not over by then is none. */
const HELD_UNITS_MAX = 4096
const PICTURES_MAX = 64

const REMOVED = '(link removed)'

/** Characters that are not seen and can carry text past a reader (Unicode tags, zero width and
 *  bidirectional controls). */
// oxlint-disable-next-line no-misleading-character-class -- It is the single characters that are meant.
const UNSEEN = /[\u200b\u2060-\u2064\u202a-\u202e\u2066-\u2069\ufeff]|\udb40[\udc00-\udc7f\udd00-\uddef]/g

/** Passes an answer's text on piece by piece, without what it may not hold. What may turn out to be
 *  part of a link is kept back until it is known. Whole or in pieces, the same text comes out. */
export class LinkFilter {
  readonly #rules: LinkRules
  #held = ''
  /** For each bracket that is open, whether a picture was opened with it. */
  #brackets: boolean[] = []
  /** In a run that was too long to be a link: all of it goes. */
  #swallows = false
  #removed = 0
  #endedLine = false

  constructor(rules: LinkRules) {
    this.#rules = rules
  }

  /** Links and pictures that were taken out so far. */
  get removed(): number {
    return this.#removed
  }

  push(text: string): string {
    this.#held += text
    return this.#take(false)
  }

  /** The rest. */
  end(): string {
    return this.#take(true)
  }

  #take(isEnd: boolean): string {
    let text = this.#held
    const half = !isEnd && /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : ''
    if (half !== '') text = text.slice(0, -1)
    text = text.replace(UNSEEN, '')
    if (this.#rules.isOpen) {
      this.#held = half
      return text
    }
    const { out, at } = this.#scan(text, isEnd)
    this.#held = text.slice(at) + half
    if (at > 0) this.#endedLine = text[at - 1] === '\n'
    return out
  }

  /** What may leave, and up to where it was looked at. */
  #scan(text: string, isEnd: boolean): { out: string; at: number } {
    let out = ''
    let at = 0
    const trigger = /[\\![\]<\n]|(?:https?|ftps?|wss?|file):[\\/]|www\./gi
    while (at < text.length) {
      if (this.#swallows) {
        const stop = text.slice(at).search(/[\s<]/)
        this.#swallows = stop < 0
        at = stop < 0 ? text.length : at + stop
        continue
      }
      trigger.lastIndex = at
      const found = trigger.exec(text)
      if (found === null) {
        const stop = isEnd ? text.length : Math.max(at, text.length - startOf(text.slice(-START_UNITS_MAX)))
        return { out: out + text.slice(at, stop), at: stop }
      }
      out += text.slice(at, found.index)
      at = found.index
      const piece = this.#piece(text, at, isEnd)
      if (piece === undefined) return { out, at }
      out += piece.says
      at += piece.units
    }
    return { out, at }
  }

  /** What becomes of the text at a trigger; undefined: more of it must be known. */
  #piece(text: string, at: number, isEnd: boolean): Piece | undefined {
    const [first, next] = [text[at] ?? '', text[at + 1]]
    SCHEME.lastIndex = at
    if (SCHEME.test(text)) return this.#bare(text, at, isEnd)
    // What was opened in a paragraph is not closed in another.
    if (first === '\n' && (at > 0 ? text[at - 1] === '\n' : this.#endedLine)) this.#brackets = []
    if (first === '\n') return this.#literal(first)
    if (next === undefined && !isEnd) return undefined
    if (first === '\\') return this.#literal(/[[\]!\\]/.test(next ?? '') ? first + (next ?? '') : first)
    if (first === '!' && next === '[') return this.#open('![')
    if (first === '[') return this.#open('[')
    if (first === ']') return this.#closed(text, at, isEnd)
    if (first === '<' && /[a-z/!?]/i.test(next ?? '')) return this.#tag(text, at, isEnd)
    return this.#literal(first)
  }

  #literal(says: string): Piece {
    return { says, units: says.length }
  }

  #open(mark: string): Piece {
    // With too many open at once, each counts as a picture.
    if (this.#brackets.length < PICTURES_MAX) this.#brackets.push(mark === '![')
    else this.#brackets[PICTURES_MAX - 1] = true
    return this.#literal(mark)
  }

  /** `](target "title")` and `]: target`. */
  #closed(text: string, at: number, isEnd: boolean): Piece | undefined {
    const isIn = this.#brackets.includes(true)
    const next = text[at + 1]
    if (next !== '(' && next !== ':') {
      this.#brackets.pop()
      return this.#literal(']')
    }
    const rest = text.slice(at + 2, at + 2 + HELD_UNITS_MAX)
    const found = next === '(' ? insideParentheses(rest) : definition(rest, isEnd)
    if (found === undefined) {
      if (!isEnd && rest.length < HELD_UNITS_MAX) return undefined
      // Never closed, so no link; a space keeps it from becoming one.
      this.#brackets.pop()
      return { says: `] ${next}`, units: 2 }
    }
    this.#brackets.pop()
    const { target, targetEnd, units } = found
    // A definition may be used by a picture further on.
    const use = next === ':' || isIn ? 'picture' : 'link'
    // What stands behind the target is looked at like any text.
    if (this.#rules.allows(target, use)) return this.#literal(`]${next}${rest.slice(0, targetEnd)}`)
    this.#removed++
    return { says: next === ':' ? `]: ${REMOVED}` : `] ${REMOVED}`, units: 2 + units }
  }

  #bare(text: string, at: number, isEnd: boolean): Piece | undefined {
    const [run = ''] = /^[^\s<]*/.exec(text.slice(at, at + HELD_UNITS_MAX)) ?? []
    const isCut = run.length === HELD_UNITS_MAX
    if (at + run.length === text.length && !isEnd && !isCut) return undefined
    const head = run.slice(0, closedAt(run))
    const link = head.replace(TRAILING, '')
    // A scheme and nothing behind it.
    if (!isCut && link.length <= (SCHEME_UNITS.exec(run)?.[0].length ?? 0)) return this.#literal(run.slice(0, 1))
    if (isCut || !this.#rules.allows(link, 'link')) {
      this.#removed++
      this.#swallows = isCut
      return { says: REMOVED, units: isCut ? run.length : link.length }
    }
    const rest = run.slice(link.length)
    // Clients take what follows without a space for a part of the link.
    const isApart = /^\]\(|^[^\p{L}\p{N}]*$/u.test(rest)
    return isApart ? this.#literal(link) : { says: `${link} `, units: link.length }
  }

  /** A tag stays where it can load nothing; before any other a space is put, which makes it text. */
  #tag(text: string, at: number, isEnd: boolean): Piece | undefined {
    const part = text.slice(at, at + HELD_UNITS_MAX)
    const close = part.indexOf('>')
    if (close < 0 && !isEnd && part.length < HELD_UNITS_MAX) return undefined
    const inside = part.slice(1, close)
    if (close > 0 && /^[a-z][a-z0-9+.-]*:\S*$/i.test(inside)) {
      if (this.#rules.allows(inside, 'link')) return this.#literal(part.slice(0, close + 1))
      this.#removed++
      return { says: REMOVED, units: close + 1 }
    }
    if (close > 0 && !LOADING_TAG.test(inside) && !LOADING_ATTRIBUTE.test(inside)) return this.#literal('<')
    return { says: '< ', units: 1 }
  }
}

interface Piece {
  readonly says: string
  /** How much of the text it stands for. */
  readonly units: number
}

const LOADING_TAG =
  /^\/?(?:script|style|svg|math|base|meta|link|i?frame|frameset|object|embed|applet|form|animate\w*|set)\b/i
const LOADING_ATTRIBUTE =
  /(?:^|[\s"'/])(?:on\w*|style|src\w*|href|xlink:href|action|formaction|data|poster|background|ping|longdesc|manifest|http-equiv)\s*=/i

/** How many characters at the end may be the beginning of a link. */
function startOf(tail: string): number {
  const lower = tail.toLowerCase()
  for (let units = lower.length; units > 0; units--) {
    const end = lower.slice(-units)
    if (STARTS.some((start) => start.length > units && start.startsWith(end))) return units
  }
  return 0
}

interface Target {
  readonly target: string
  readonly targetEnd: number
  /** How far all that belongs to it reaches. */
  readonly units: number
}

/** After `](`. */
function insideParentheses(rest: string): Target | undefined {
  const opening = /^\s*</.exec(rest)
  if (opening !== null) {
    const close = rest.indexOf('>', opening[0].length)
    const end = close < 0 ? -1 : rest.indexOf(')', close)
    return end < 0 ? undefined : { target: rest.slice(opening[0].length, close), targetEnd: close + 1, units: end + 1 }
  }
  let depth = 1
  for (let at = 0; at < rest.length; at++) {
    if (rest[at] === '(') depth++
    else if (rest[at] === ')' && --depth === 0) {
      const [, space = '', target = ''] = /^(\s*)(\S*)/.exec(rest.slice(0, at)) ?? []
      return { target, targetEnd: space.length + target.length, units: at + 1 }
    }
  }
  return undefined
}

const LEADS = /[:\\&]|^<?(?:\/\/|www\.)/i

const NO_TARGET: Target = { target: '', targetEnd: 0, units: 0 }

/** After `]:`. */
function definition(rest: string, isEnd: boolean): Target | undefined {
  const found = /^(\s*)(\S+)/.exec(rest)
  if (found === null) return isEnd ? NO_TARGET : undefined
  const [whole, , target = ''] = found
  if (whole.length === rest.length && !isEnd) return undefined
  // After a colon there may be anything; only what can lead elsewhere is a target.
  if (!LEADS.test(target)) return NO_TARGET
  return { target: target.replace(/^<|>$/g, ''), targetEnd: whole.length, units: whole.length }
}
