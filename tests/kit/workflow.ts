import type { Fault } from '../../src/base/errors.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { seededRandom } from '../../src/base/random.ts'
import { Analyzer } from '../../src/base/words.ts'
import type { ChatEnd, ChatSink, InnerCall } from '../../src/engine/port.ts'
import { BYTES } from '../../src/meter/tokenizer/tokenizer.ts'
import type { Passage } from '../../src/retrieval/passage.ts'
import { WorkflowEngine } from '../../src/retrieval/workflow/engine.ts'
import type { WorkflowSpec } from '../../src/retrieval/workflow/spec.ts'
import { Trace } from '../../src/trace/trace.ts'
import { ManualClock } from './clock.ts'
import { someSpending } from './spending.ts'

/** A workflow over passages that a test gives, whose models it moves by hand. */

export const passage = (text: string, more: Partial<Passage> = {}): Passage => ({
  collection: 'handbook',
  document: 'doc_1',
  uri: 'docs/a.md',
  title: 'Guide',
  headings: ['Guide', 'Keys'],
  start: 100,
  end: 100 + text.length,
  text,
  score: 1,
  ...more,
})

export const SPEC: WorkflowSpec = {
  name: 'docs',
  collection: 'handbook',
  topK: 2,
  rewrite: 'terms',
  model: 'chat',
  contextTokensMax: 1000,
  spotlight: 'delimit',
  evidenceMin: 0,
  groundedness: 'lexical',
  policy: { tools: 'none', links: 'sources', hosts: [] },
}

interface Inner {
  readonly model: string
  readonly call: InnerCall
  readonly sink: ChatSink
  cancelled: boolean
  paused: boolean
}

export function openWorkflow(found: readonly Passage[] | Error, spec: Partial<WorkflowSpec> = {}) {
  const clock = new ManualClock()
  const inner: Inner[] = []
  const asked: { question: string; k: number }[] = []
  const payers: unknown[] = []
  const engine = new WorkflowEngine(
    { ...SPEC, ...spec },
    {
      clock,
      random: seededRandom(1),
      analyzer: new Analyzer(),
      search: {
        async search(_, question, { k }) {
          asked.push({ question, k })
          if (found instanceof Error) throw found
          return { passages: found, terms: [] }
        },
      },
      tokenizersOf: () => [BYTES],
      explainNothing: async (collection) => `${collection} holds nothing about it.`,
      async rerank(_, { documents, spending }) {
        payers.push(spending)
        return documents.map((_, at) => documents.length - 1 - at)
      },
      callModel(model, call, sink) {
        const one = { model, call, sink, cancelled: false, paused: false }
        inner.push(one)
        return {
          cancel: () => void (one.cancelled = true),
          pause: () => void (one.paused = true),
          resume: () => void (one.paused = false),
        }
      },
    },
  )
  const spending = someSpending()
  const got: { frames: JsonObject[]; end?: ChatEnd; fault?: Fault } = { frames: [] }
  const trace = new Trace(clock)
  const startWith = (stream: boolean, body: JsonObject) =>
    engine.chat(
      {
        requestId: 'req_1',
        span: trace.open('attempt'),
        connectTimeoutMs: 1,
        spending,
        model: 'docs',
        stream,
        outputTokensMax: 64,
        body,
      },
      {
        frame: (frame) => void got.frames.push(frame),
        end: (end) => void (got.end = end),
        fail: (cause) => void (got.fault = cause),
      },
    )
  const start = (stream: boolean, content = 'How do I make a key?') =>
    startWith(stream, {
      temperature: 0,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content },
      ],
    })
  return { engine, inner, asked, got, start, startWith, trace, spending, payers }
}

/** What a caller has read in the end. */
export function textIn(frames: readonly JsonObject[]): string {
  // oxlint-disable-next-line typescript/no-explicit-any -- Tests read whatever shape they expect.
  return frames.map((frame: any) => (frame.choices[0]?.delta ?? frame.choices[0]?.message)?.content ?? '').join('')
}
