/** How the reader counts: a token is a word, or a mark of punctuation, or an ideograph; long words
 *  are several. Its own measure, as every model has one. */

const WORD_UNITS_MAX = 24

/** From here on, scripts without spaces: each character is a token. */
const IDEOGRAPHS_FROM = 0x2e80

const WORD = 1
const MARK = 2
const SPACE = 3

const kindOf = (code: number): number => {
  if (code <= 0x20 || code === 0xa0 || (code >= 0x2000 && code <= 0x200b) || code === 0x3000) return SPACE
  if (code >= IDEOGRAPHS_FROM) return MARK
  if (code >= 0x80) return code >= 0x2010 && code <= 0x206f ? MARK : WORD
  return (code >= 0x30 && code <= 0x39) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x61 && code <= 0x7a) ||
    code === 0x5f
    ? WORD
    : MARK
}

/** Where the token that begins at or after `start` ends. */
function tokenEnd(text: string, start: number): number {
  let at = start
  while (at < text.length && kindOf(text.charCodeAt(at)) === SPACE) at++
  if (at >= text.length) return text.length
  if (kindOf(text.charCodeAt(at)) === MARK) return at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1)
  const limit = Math.min(text.length, at + WORD_UNITS_MAX)
  while (at < limit && kindOf(text.charCodeAt(at)) === WORD) at++
  return at
}

/** Counts no further than just beyond `limit`. */
export function countTokens(text: string, limit = Number.POSITIVE_INFINITY): number {
  const end = text.trimEnd().length
  let count = 0
  for (let at = 0; at < end && count <= limit; count++) at = tokenEnd(text, at)
  return count
}

/** The tokens, each with the space before it; the last with what is after it. Joined they are the
 *  text. */
export function splitTokens(text: string): string[] {
  const end = text.trimEnd().length
  const tokens: string[] = []
  for (let at = 0; at < end;) {
    const next = tokenEnd(text, at)
    tokens.push(text.slice(at, next >= end ? text.length : next))
    at = next
  }
  return tokens
}
