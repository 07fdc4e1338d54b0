import { seededRandom, uniform } from '../src/base/random.ts'

/** English-like words with Zipf's frequencies, and what is made of them. */

const WORDS = 40_000
const SYLLABLES =
  'ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo ya zen tion ment ing er al is an re con'.split(' ')

export interface Prose {
  /** Uniform in [0, 1). */
  next(): number
  pick(): string
  words(count: number): string
  sentence(): string
  paragraph(): string
}

export function prose(seed: number): Prose {
  const draw = seededRandom(seed)
  const vocabulary = Array.from({ length: WORDS }, (_, i) => word(i))
  const next = (): number => uniform(draw)
  // The inverse of Zipf's distribution with exponent 1, nearly: ranks are spread evenly in log.
  const pick = (): string => vocabulary[Math.floor(WORDS ** next()) - 1] ?? 'the'
  const words = (count: number): string => Array.from({ length: count }, pick).join(' ')
  const sentence = (): string => `${words(6 + Math.floor(next() * 16)).replace(/^./, (first) => first.toUpperCase())}.`
  const paragraph = (): string => Array.from({ length: 2 + Math.floor(next() * 5) }, sentence).join(' ')
  return { next, pick, words, sentence, paragraph }
}

/** Short words are the frequent ones. */
function word(rank: number): string {
  let text = ''
  for (let rest = rank + 1; rest > 0; rest = Math.floor(rest / SYLLABLES.length))
    text += SYLLABLES[rest % SYLLABLES.length] ?? ''
  return text
}
