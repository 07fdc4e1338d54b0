import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock as clock } from '../src/base/clock.ts'
import { Refusal } from '../src/base/errors.ts'
import type { JsonObject } from '../src/base/json.ts'
import { systemRandom as random } from '../src/base/random.ts'
import { Analyzer } from '../src/base/words.ts'
import { MemoryIndex } from '../src/drivers/memory/index.ts'
import { MemoryRows } from '../src/drivers/memory/rows.ts'
import { ReaderEngine } from '../src/drivers/reader/engine.ts'
import { Spending } from '../src/meter/spending.ts'
import { BYTES } from '../src/meter/tokenizer/tokenizer.ts'
import { chunk } from '../src/parse/chunk.ts'
import { chunkKey, CHUNKS, documentKey, DOCUMENTS } from '../src/retrieval/document.ts'
import { indexChunk } from '../src/retrieval/ingest/worker.ts'
import { deadline } from '../src/parse/limits.ts'
import { parse } from '../src/parse/parse.ts'
import { createSearch } from '../src/retrieval/search.ts'
import { WorkflowEngine } from '../src/retrieval/workflow/engine.ts'
import { put } from '../src/store/rows.ts'
import { Trace } from '../src/trace/trace.ts'
import { ANSWERABLE, UNANSWERABLE } from './answerable.ts'
import type { BenchOptions, Figure, Result } from './harness.ts'

/** Whether the default workflow knows what its documents do not answer: the handbook, and questions
 *  labelled by whether it answers them. Half of them chose the threshold; the figures of the other
 *  half are told apart. */
export const name = 'answerable: "not in the sources", told right'

const DOCS = new URL('../docs/', import.meta.url).pathname
/** As in `src/config/workflows.ts`. */
const EVIDENCE_MIN = 0.3
const THRESHOLDS = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1] as const

interface Judged {
  readonly question: string
  readonly isAnswerable: boolean
  readonly isHeldOut: boolean
  readonly evidence: number
  /** What the reader said when it was asked, whatever the evidence. */
  readonly answered: boolean
  readonly score: number | undefined
  readonly sentences: number
}

export async function run({ print }: BenchOptions): Promise<readonly Result[]> {
  const ask = await openWorkflow()
  const judged: Judged[] = []
  for (const [isAnswerable, questions] of [
    [true, ANSWERABLE],
    [false, UNANSWERABLE],
  ] as const) {
    for (const [at, question] of questions.entries())
      judged.push({ question, isAnswerable, isHeldOut: at % 2 === 1, ...(await ask(question)) })
  }
  for (const threshold of THRESHOLDS)
    print(`  evidence below ${threshold}: ${summary(judged, ({ evidence }) => evidence < threshold)}`)
  print(`  the reader alone: ${summary(judged, ({ answered }) => !answered)}`)
  const says = ({ evidence, answered }: Judged): boolean => evidence < EVIDENCE_MIN || !answered
  print(`  both: ${summary(judged, says)}`)
  for (const one of judged.filter((each) => says(each) === each.isAnswerable))
    print(`  wrong: ${one.isAnswerable ? 'not answered' : 'answered'}: ${one.question} (evidence ${one.evidence})`)
  const grounded = judged.filter(({ isAnswerable, score }) => isAnswerable && score !== undefined)
  const held = judged.filter(({ isHeldOut }) => isHeldOut)
  return [
    ...figures('all questions', judged, says),
    ...figures('held out', held, says),
    {
      kind: 'figure',
      name: 'groundedness of its answers (lexical), sentences that their passages support',
      unit: '',
      value: grounded.reduce((sum, { score = 0, sentences }) => sum + score * sentences, 0) / sum(grounded),
      n: sum(grounded),
    },
  ]
}

const sum = (judged: readonly Judged[]): number => judged.reduce((all, { sentences }) => all + sentences, 0)

function counts(judged: readonly Judged[], says: (one: Judged) => boolean) {
  const said = judged.filter(says)
  const right = said.filter(({ isAnswerable }) => !isAnswerable).length
  return { said: said.length, right, unanswerable: judged.filter(({ isAnswerable }) => !isAnswerable).length }
}

function summary(judged: readonly Judged[], says: (one: Judged) => boolean): string {
  const { said, right, unanswerable } = counts(judged, says)
  return `precision ${right}/${said} ${interval(right, said)}, recall ${right}/${unanswerable} ${interval(right, unanswerable)}`
}

function figures(which: string, judged: readonly Judged[], says: (one: Judged) => boolean): Figure[] {
  const { said, right, unanswerable } = counts(judged, says)
  return [
    {
      kind: 'figure',
      name: `"not in the sources", ${which}: precision`,
      unit: interval(right, said),
      value: right / said,
      n: said,
    },
    {
      kind: 'figure',
      name: `"not in the sources", ${which}: recall`,
      unit: interval(right, unanswerable),
      value: right / unanswerable,
      n: unanswerable,
    },
  ]
}

/** Wilson's, 95 %. */
function interval(right: number, n: number): string {
  if (n === 0) return ''
  const z = 1.96
  const share = right / n
  const middle = (share + (z * z) / (2 * n)) / (1 + (z * z) / n)
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n))
  return `[${(middle - half).toFixed(3)}, ${(middle + half).toFixed(3)}]`
}

/** The default workflow over the handbook, asked at any evidence. */
async function openWorkflow() {
  const analyzer = new Analyzer()
  const index = new MemoryIndex(analyzer)
  const rows = new MemoryRows()
  await fill(index, rows)
  const reader = new ReaderEngine({ name: 'reader', clock, analyzer })
  const workflow = new WorkflowEngine(
    {
      name: 'docs',
      collection: 'handbook',
      topK: 8,
      rewrite: 'terms',
      model: 'reader',
      contextTokensMax: 4000,
      spotlight: 'delimit',
      evidenceMin: 0,
      groundedness: 'lexical',
      policy: { tools: 'none', links: 'sources', hosts: [] },
    },
    {
      clock,
      random,
      analyzer,
      search: createSearch({ index, rows, analyzer }),
      tokenizersOf: () => [BYTES],
      explainNothing: async () => 'Nothing.',
      rerank: () => Promise.reject(new Error('it does not rerank')),
      callModel: (_, call, sink) => reader.chat({ ...call, model: 'reader', connectTimeoutMs: 0 }, sink),
    },
  )
  return (content: string): Promise<Pick<Judged, 'evidence' | 'answered' | 'score' | 'sentences'>> =>
    new Promise((resolve, reject) => {
      const span = new Trace(clock).open('call')
      const spending = new Spending(clock, undefined, 'req', {})
      let said: JsonObject = {}
      const call = { requestId: 'req', span, spending, connectTimeoutMs: 0, model: 'docs', stream: false }
      workflow.chat(
        { ...call, outputTokensMax: 1000, body: { messages: [{ role: 'user', content }] } },
        {
          frame: ({ headworks }) => void (said = headworks as JsonObject),
          end: () => {
            const { score, sentences } = (said['groundedness'] ?? {}) as { score?: number; sentences?: number }
            const evidence = Number(said['evidence'])
            resolve({ evidence, answered: said['answered'] === true, score, sentences: sentences ?? 0 })
          },
          fail: reject,
        },
      )
    })
}

async function fill(index: MemoryIndex, rows: MemoryRows): Promise<void> {
  const segments: string[] = []
  for (const file of readdirSync(DOCS).filter((one) => one.endsWith('.md'))) {
    const parsed = await parse(file, readFileSync(join(DOCS, file)), deadline(clock, 10_000))
    if (parsed instanceof Refusal) throw new Error(`${file} cannot be read`)
    const chunks = chunk(parsed.text, parsed.blocks)
    const segment = `handbook/${file}`
    await index.build(
      segment,
      chunks.map((one) => indexChunk({ ...one, document: file }, { title: parsed.title })),
    )
    segments.push(segment)
    await rows.commit([
      put(DOCUMENTS, documentKey('handbook', file), {
        id: file,
        uri: `docs/${file}`,
        title: parsed.title,
        mediaType: parsed.mediaType,
        contentHash: '',
        bytes: 0,
        segment,
        firstChunk: 0,
        chunkCount: chunks.length,
        ingestedAtMs: 0,
      }),
      ...chunks.map((one, at) => put(CHUNKS, chunkKey(segment, at), { ...one, document: file })),
    ])
  }
  await index.mount(
    'handbook',
    segments.map((segment) => ({ segment, removed: [] })),
  )
}
