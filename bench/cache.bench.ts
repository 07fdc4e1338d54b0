import { direction, Meanings } from '../src/gateway/replay/meanings.ts'
import { uniqueWord } from '../tests/kit/hashed-embeddings.ts'
import { type Bench, type BenchOptions, compare, type Figure, medianOf, type Result } from './harness.ts'
import { Caller, startEmbedder, startHouse, startUpstream } from './processes.ts'

/** What an answer from the cache costs beside a call to a model server that answers at once: what a real
 *  one takes to answer, and what it charges, is saved on top. */

export const name: Bench['name'] = 'cache'

const ROUNDS = 12
const REQUESTS = 100
const DIMENSIONS = 1_024
const QUESTIONS = 1_000
const TEXTS = Array.from({ length: 16 }, (_, at) => `A passage of the usual length, the ${at}th of all.`)
const CHAT = '/v1/chat/completions'
const EMBEDDINGS = '/v1/embeddings'

export async function run({ effort }: BenchOptions): Promise<readonly Result[]> {
  const [upstream, embedder] = [await startUpstream(), await startEmbedder(DIMENSIONS)]
  const chat = 'deployments: [{ engine: up, model: weights }]'
  const embed = 'deployments: [{ engine: vectors, model: weights }]'
  const house = await startHouse({
    config: `
engines:
  up: { kind: openai, url: "http://${upstream.address}/v1" }
  vectors: { kind: openai, url: "http://${embedder.address}/v1" }
models:
  chat: { ${chat} }
  cached-chat: { ${chat}, cache: { ttlMs: 3600000 } }
  near-chat: { ${chat}, cache: { ttlMs: 3600000, semantic: { embedding: embed } } }
  embed: { ${embed} }
  cached-embed: { ${embed}, cache: { ttlMs: 3600000 } }
collections: { handbook: { sources: [] } }
`,
  })
  const caller = new Caller()
  const ask = async (path: string, bodyOf: () => object): Promise<number[]> => {
    const took: number[] = []
    for (let at = 0; at < REQUESTS; at++)
      took.push((await caller.ask(house.address, path, JSON.stringify(bodyOf()))).ms)
    return took
  }
  const messages = [{ role: 'user', content: 'A question of the usual length, asked again and again. '.repeat(14) }]
  // The embedder goes by a word that texts have in common.
  let words = 0
  const inOtherWords = (): object => ({
    model: 'near-chat',
    messages: [{ role: 'user', content: `${uniqueWord(1)} ${uniqueWord(++words)}` }],
  })
  const embedding = { input: TEXTS, encoding_format: 'base64' }
  const contestant = (what: string, path: string, bodyOf: () => object) => ({
    name: what,
    run: () => ask(path, bodyOf),
    cpuMs: () => house.cpuMs(),
  })
  const shared = { rounds: Math.max(3, Math.round(ROUNDS * effort)), operations: REQUESTS }
  try {
    return [
      await compare({
        ...shared,
        name: 'an answer given again, and one that is called for',
        subject: contestant('a hit', CHAT, () => ({ model: 'cached-chat', messages })),
        reference: contestant('a call', CHAT, () => ({ model: 'chat', messages })),
      }),
      await compare({
        ...shared,
        name: 'an answer given again to other words, their embedding included, and one that is called for',
        subject: contestant('a hit by meaning', CHAT, inOtherWords),
        reference: contestant('a call', CHAT, () => ({ model: 'chat', messages })),
      }),
      await compare({
        ...shared,
        name: `${TEXTS.length} vectors of ${DIMENSIONS} dimensions given again, and called for`,
        subject: contestant('a hit', EMBEDDINGS, () => ({ ...embedding, model: 'cached-embed' })),
        reference: contestant('a call', EMBEDDINGS, () => ({ ...embedding, model: 'embed' })),
      }),
      longestLook(shared.rounds),
    ]
  } finally {
    caller.close()
    await house.stop()
    await embedder.stop()
    await upstream.stop()
  }
}

/** What a question pays that is compared with as many others as there can be. */
function longestLook(rounds: number): Figure {
  const meanings = new Meanings()
  const vectorOf = (seed: number): Float32Array =>
    direction(Float32Array.from({ length: DIMENSIONS }, (_, at) => Math.sin(seed * 7_919 + at))) ?? new Float32Array()
  for (let at = 0; at < QUESTIONS; at++) meanings.add('group', String(at), vectorOf(at))
  const asked = vectorOf(QUESTIONS)
  const took = Array.from({ length: rounds * REQUESTS }, () => {
    const before = process.cpuUsage()
    meanings.nearest('group', asked, 0.5, () => true)
    const { user, system } = process.cpuUsage(before)
    return user + system
  })
  return {
    kind: 'figure',
    name: `CPU of a look at ${QUESTIONS} questions of ${DIMENSIONS} dimensions`,
    unit: 'us',
    value: medianOf(took),
    n: took.length,
    min: Math.min(...took),
    max: Math.max(...took),
    target: 'at most 1 ms',
  }
}
