/** How the input of one deployment is counted.
 *
 *  A bound must hold for the whole prompt, and what stands around a text there is not known: the
 *  chat template puts its own words between messages, and a tokenizer may join their ends. So a
 *  bound is asked for text by text, and each must hold wherever the text stands. */
export interface TextTokenizer {
  /** As the configuration names it: `bytes`, an encoding, or the path of a file. */
  readonly name: string
  /** Tokens of the text by itself. Our own count, for when an engine sends none; never a bound. */
  count(text: string): number
  /** The most tokens the text adds to a prompt, whatever stands before and behind it, and whether or
   *  not what looks like a special token is read as one. */
  countMax(text: string): number
  /** The most tokens of so many spaces at the beginning of a line. */
  spacesMax(length: number): number
}

export interface Tokenizer extends TextTokenizer {
  /** What the chat template adds to a request by itself, its opening of the answer included. */
  readonly templateTokensMax: number
  /** The dearest picture. Absent: not known. */
  readonly imageTokensMax?: number
}

/** The longest default system prompts of public chat templates (Mistral Small, Command R) stay below. */
export const TEMPLATE_TOKENS_MAX = 512

/** Four UTF-8 bytes a token is the usual average of byte-pair encodings on English. */
const BYTES_PER_TOKEN = 4

/** No tokenizer of bytes makes more tokens than there are bytes; some compose characters first
 *  (Unicode's NFC and NFKC), which a few characters answer by growing. Composing across two texts
 *  never adds bytes, so the sum over texts bounds the whole. */
export function bytesMax(text: string): number {
  const bytes = Buffer.byteLength(text)
  if (bytes === text.length) return bytes
  return Math.max(bytes, Buffer.byteLength(text.normalize('NFC')), Buffer.byteLength(text.normalize('NFKC')))
}

export const bytesEstimate = (text: string): number => Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN)

/** Where nothing is known of the tokenizer. */
export const BYTES: Tokenizer = {
  name: 'bytes',
  count: bytesEstimate,
  countMax: bytesMax,
  spacesMax: (length) => length,
  templateTokensMax: TEMPLATE_TOKENS_MAX,
}
