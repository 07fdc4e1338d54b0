/** How published tokenizers split a text before they encode its pieces. Only these are read: the
 *  bound's proof (`bounded.ts`) is about them. Each goes from left to right, looks back at nothing,
 *  and lets nothing but letters, marks and a contraction follow a letter. */

const CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const UPPER = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
const LOWER = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
const BLANKS = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`
const WORD = String.raw`[^\r\n\p{L}\p{N}]?\p{L}+`
const SIGNS = String.raw` ?[^\s\p{L}\p{N}]+`
const cased = (contraction: string): string =>
  String.raw`[^\r\n\p{L}\p{N}]?${UPPER}*${LOWER}+${contraction}|[^\r\n\p{L}\p{N}]?${UPPER}+${LOWER}*${contraction}`

export const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+|${SIGNS}|\s+(?!\S)|\s+`
/** Also of Llama 3. */
export const CL100K = String.raw`${CONTRACTION}|${WORD}|\p{N}{1,3}|${SIGNS}[\r\n]*|${BLANKS}`
/** Also of gpt-oss. */
export const O200K = String.raw`${cased(`${CONTRACTION}?`)}|\p{N}{1,3}|${SIGNS}[\r\n/]*|${BLANKS}`
const QWEN2 = String.raw`${CONTRACTION}|${WORD}|\p{N}|${SIGNS}[\r\n]*|${BLANKS}`
const TEKKEN = String.raw`${cased('')}|\p{N}|${SIGNS}[\r\n/]*|${BLANKS}`
/** Of DeepSeek V3, one after another. */
const DEEPSEEK = [
  String.raw`\p{N}{1,3}`,
  '[一-龥぀-ゟ゠-ヿ]+',
  String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_${'`'}{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|${BLANKS}`,
]

/** As they stand in files. */
export const KNOWN_PATTERNS: ReadonlySet<string> = new Set([GPT2, CL100K, O200K, QWEN2, TEKKEN, ...DEEPSEEK])

/** The matches, and what lies between them. */
export function split(texts: readonly string[], pattern: RegExp): readonly string[] {
  return texts.flatMap((text) => {
    const matches = text.match(pattern) ?? []
    return matches.reduce((units, match) => units + match.length, 0) === text.length ? matches : withGaps(text, pattern)
  })
}

function withGaps(text: string, pattern: RegExp): string[] {
  const pieces: string[] = []
  let at = 0
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (index > at) pieces.push(text.slice(at, index))
    pieces.push(match)
    at = index + match.length
  }
  if (at < text.length) pieces.push(text.slice(at))
  return pieces
}
