/** A model server that costs next to nothing: where a text lies follows from its hash alone, so that
 *  the same text is always found and another one never. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Words such as `qabx` name one document: a text that has one lies where the word alone does. */
const UNIQUE_WORD = /\bq[a-z]+x\b/

/** The `number`th of the words that name one document. Only letters, and none that a stemmer takes. */
export function uniqueWord(number: number): string {
  let letters = ''
  for (let rest = number; letters === '' || rest > 0; rest = Math.floor(rest / 26))
    letters += String.fromCharCode(97 + (rest % 26))
  return `q${letters}qx`
}

/** What stands for a text: the word that is its alone, where it has one. */
export const seedOf = (text: string): string => UNIQUE_WORD.exec(text)?.[0] ?? text

/** Of uniform coordinates in [-1, 1). */
function hashedVector(text: string, dimension: number): Iterable<number> {
  const seed = seedOf(text)
  const bytes = createHash('shake256', { outputLength: 2 * dimension })
    .update(seed)
    .digest()
  return Array.from({ length: dimension }, (_, at) => (bytes.readInt16LE(2 * at) + 0.5) / 2 ** 15)
}

export interface HashedEmbeddings {
  /** Up to and including the version. */
  readonly url: string
  stop(): Promise<void>
}

interface Asked {
  readonly input?: readonly string[]
  readonly encoding_format?: string
}

/** Speaks `/v1/embeddings`. `place`: where a text lies. */
export async function startHashedEmbeddings(dimension: number, place = hashedVector): Promise<HashedEmbeddings> {
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (bytes: Buffer) => pieces.push(bytes))
    request.on('end', () => {
      const { input = [], encoding_format: format } = JSON.parse(Buffer.concat(pieces).toString() || '{}') as Asked
      const data = input.map((text, index) => {
        const vector = Float32Array.from(place(text, dimension))
        const embedding = format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : [...vector]
        return { index, embedding }
      })
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify({ object: 'list', model: 'hashed', data, usage: { prompt_tokens: 1, total_tokens: 1 } }),
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
