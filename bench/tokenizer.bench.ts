import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { byteLevelFile } from '../tests/kit/tokenizer.ts'
import { readTokenizer, UnreadTokenizer } from '../src/drivers/huggingface/tokenizer.ts'
import { PublishedTokenizer } from '../src/drivers/tiktoken/tokenizer.ts'
import { inputTokensBound, TOKENIZED_BYTES_MAX } from '../src/meter/bound.ts'
import { BYTES, type TextTokenizer, type Tokenizer } from '../src/meter/tokenizer/tokenizer.ts'
import { readCranfield } from './cranfield.ts'
import { type Bench, type BenchOptions, compare, type Figure, percentilesOf, type Result } from './harness.ts'

/** What a bound by the model's own tokenizer costs beside one by bytes, how far each lies above the
 *  count, and what loading takes. The texts are this project's handbook and sources; with
 *  `HEADWORKS_CRANFIELD`, as of the retrieval benchmark, abstracts too. */

export const name: Bench['name'] = 'tokenizer'

const ROUNDS = 15
const FILE_TOKENS = 32_000
const root = dirname(import.meta.dirname)

interface Corpus {
  readonly name: string
  readonly texts: readonly string[]
}

function filesOf(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
}

async function corpora(): Promise<Corpus[]> {
  const found = [
    { name: 'handbook sections', texts: filesOf('docs', '.md').flatMap((page) => page.split(/^(?=## )/m)) },
    { name: 'source files', texts: filesOf('src', '.ts') },
  ]
  const cranfield = process.env['HEADWORKS_CRANFIELD']
  if (cranfield === undefined) return found
  const { documents } = await readCranfield(cranfield)
  return [...found, { name: 'abstracts', texts: documents.map(({ text }) => text) }]
}

const chatOf = (content: string) => ({ messages: [{ role: 'user', content }] })
/** The allowance for a template is left out: it is the same for all. */
const asDeployed = (tokenizer: TextTokenizer): Tokenizer => ({
  name: tokenizer.name,
  count: (text) => tokenizer.count(text),
  countMax: (text) => tokenizer.countMax(text),
  spacesMax: (length) => tokenizer.spacesMax(length),
  templateTokensMax: 0,
})

async function cost(texts: readonly string[], tokenizer: TextTokenizer, rounds: number): Promise<Result> {
  const chats = texts.map(chatOf)
  const kib = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1024
  const contestant = (by: TextTokenizer) => {
    const deployed = asDeployed(by)
    return { name: by.name, run: () => void chats.reduce((sum, chat) => sum + inputTokensBound(chat, deployed), 0) }
  }
  return compare({
    name: `bound of ${Math.round(kib)} KiB, for each KiB`,
    subject: contestant(tokenizer),
    reference: contestant(BYTES),
    rounds,
    operations: kib,
  })
}

/** Of chats whose actual prompt is the text alone: a template adds the same to both. */
function overshoot({ name, texts }: Corpus, tokenizer: TextTokenizer): Figure[] {
  const pairs = texts.map((text) => ({ text, tokens: tokenizer.count(text) })).filter(({ tokens }) => tokens > 0)
  return [asDeployed(tokenizer), asDeployed(BYTES)].flatMap((by) => {
    const { n, p50, p95 } = percentilesOf(pairs.map(({ text, tokens }) => inputTokensBound(chatOf(text), by) / tokens))
    const of = (share: string, value: number): Figure => ({
      kind: 'figure',
      name: `${name}: bound by ${by.name} over tokens of ${tokenizer.name}, ${share}`,
      unit: 'x',
      value,
      n,
    })
    return [of('p50', p50), of('p95', p95)]
  })
}

/** The dearest text known: runs of letters in no order, just short enough to be encoded. */
function hardest(): string {
  let state = 1847
  const letter = (): string => {
    state = (state * 48_271) % 2_147_483_647
    return String.fromCharCode(97 + (state % 26))
  }
  let text = ''
  while (text.length < TOKENIZED_BYTES_MAX - 64) text += `${Array.from({ length: 63 }, letter).join('')} `
  return text
}

async function loading(): Promise<{ readonly tokenizer: PublishedTokenizer; readonly figures: readonly Figure[] }> {
  const { gc } = globalThis
  gc?.()
  const before = process.memoryUsage()
  const tokenizer = new PublishedTokenizer('o200k_base', (reason) => {
    throw new Error(reason)
  })
  const startedMs = performance.now()
  await tokenizer.load()
  const tookMs = performance.now() - startedMs
  gc?.()
  const after = process.memoryUsage()
  const heapMib = (after.heapUsed + after.external - before.heapUsed - before.external) / 2 ** 20
  return {
    tokenizer,
    figures: [
      { kind: 'figure', name: 'loading o200k_base, when first asked, in slices', unit: 'ms', value: tookMs, n: 1 },
      { kind: 'figure', name: 'memory of o200k_base', unit: 'MiB', value: heapMib, n: 1 },
    ],
  }
}

async function file(): Promise<TextTokenizer> {
  const bytes = new TextEncoder().encode(JSON.stringify(await byteLevelFile(FILE_TOKENS)))
  const read = readTokenizer(`tokenizer.json of ${FILE_TOKENS} tokens`, bytes)
  if (read instanceof UnreadTokenizer) throw new Error(read.wrong)
  return read
}

export async function run({ effort }: BenchOptions): Promise<readonly Result[]> {
  const rounds = Math.max(3, Math.round(ROUNDS * effort))
  const { tokenizer, figures } = await loading()
  const found = await corpora()
  const prose = found[0]?.texts ?? []
  return [
    ...figures,
    await cost(prose, tokenizer, rounds),
    await cost(prose, await file(), rounds),
    await cost([hardest()], tokenizer, rounds),
    ...found.flatMap((corpus) => overshoot(corpus, tokenizer)),
  ]
}
