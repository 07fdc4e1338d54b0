import { parseArgs } from 'node:util'
import { type Percentiles, machineLine, percentilesOf } from '../harness.ts'
import { Documents } from './documents.ts'
import { flood } from './flood.ts'
import { Streamed } from './house.ts'

/** Questions over HTTP, alone and while documents stream in:
 *  `npm run bench:stream -- --documents 100000 --seconds 30`. */
const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '20000' },
    dimension: { type: 'string', default: '384' },
    /** Of the stream; 0: without one. */
    seconds: { type: 'string', default: '30' },
    questions: { type: 'string', default: '300' },
    pushed: { type: 'string', default: '1000' },
    /** Loading ends then, with as many documents as there are. */
    loadMinutes: { type: 'string', default: '5' },
    /** A folder whose data are kept, and gone on with. */
    data: { type: 'string' },
    /** A folder for CPU profiles, one of every process. */
    profiles: { type: 'string' },
  },
})
const [wanted, seconds] = [Number(values.documents), Number(values.seconds)]
const BATCH = 500
const LOADING_AT_ONCE = 3
const QUESTIONS = 500
const IN_A_ROW = 500
/** Between looks at whether segments are still being merged. */
const SETTLE_MS = 3_000

const print = (line: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`)
const show = (what: string, line: string): void => console.log(what.padEnd(44), line)
const documents = new Documents()
const house = await Streamed.start({
  dimension: Number(values.dimension),
  ...(values.data === undefined ? {} : { data: values.data }),
  ...(values.profiles === undefined ? {} : { profiles: values.profiles }),
})
try {
  console.log(machineLine())
  documents.goOn(await house.made())
  if (documents.made < wanted) await measured('loading', load)
  const { documents: there, chunks, segments } = await house.counts()
  show('collection', `${there} documents, ${chunks} chunks, ${segments} segments`)
  await settled()
  const questions = Array.from({ length: QUESTIONS }, () => documents.question())
  await measured('first asking of every question', async () => {
    for (const one of questions) await house.search(one)
    return { of: 'question', count: questions.length }
  })
  await measured('search over HTTP, one after the other', () => inARow(questions, searchMs))
  await measured('workflow, question to first frame', () => inARow(questions, (one) => house.firstFrame(one)))
  if (seconds === 0) process.exit(await house.stop().then(() => 0))
  await measured(`while ${values.pushed} documents/s stream in`, () => underFlood(questions))
  const after = await house.counts()
  show('collection', `${after.documents} documents, ${after.chunks} chunks, ${after.segments} segments`)
} finally {
  await house.stop()
}

async function load(): Promise<Work> {
  const untilMs = performance.now() + Number(values.loadMinutes) * 60_000
  const [begun, before] = [performance.now(), documents.made]
  const loading = async (): Promise<void> => {
    while (documents.made < wanted && performance.now() < untilMs) {
      const size = Math.min(BATCH, wanted - documents.made)
      const { status } = await house.push(Array.from({ length: size }, () => documents.next().line))
      if (status !== 200) throw new Error(`a push was answered with ${status}`)
      print(`${documents.made} documents sent`)
    }
  }
  await Promise.all(Array.from({ length: LOADING_AT_ONCE }, loading))
  const rate = (documents.made - before) / ((performance.now() - begun) / 1000)
  show('loaded by pushes', `${documents.made} documents, ${rate.toFixed(0)} a second`)
  return { of: 'document', count: documents.made - before }
}

/** Until no process of the house works any more. */
async function settled(): Promise<void> {
  for (let before = 0; ;) {
    const now = house
      .cpu()
      .entries()
      .reduce((sum, [name, ms]) => (/house|search|ingest/.test(name) ? sum + ms : sum), 0)
    if (Math.abs(now - before) < SETTLE_MS / 10) return
    before = now
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  }
}

async function inARow(questions: readonly string[], ask: (question: string) => Promise<number>): Promise<Work> {
  const tookMs: number[] = []
  for (let at = 0; at < IN_A_ROW; at++) tookMs.push(await ask(questions[at % questions.length] ?? ''))
  show('  took', shown(percentilesOf(tookMs)))
  return { of: 'question', count: IN_A_ROW }
}

async function searchMs(question: string): Promise<number> {
  const begun = performance.now()
  await house.search(question)
  return performance.now() - begun
}

async function underFlood(questions: readonly string[]): Promise<Work> {
  const result = await flood(house, {
    seconds,
    questionsPerSecond: Number(values.questions),
    documentsPerSecond: Number(values.pushed),
    documents,
    questions,
  })
  const { sent, acknowledged, pushedBack, failed } = result.documents
  show(
    `questions, ${values.questions}/s open loop`,
    `${shownOrNone(result.questionMs)}; ${result.failedQuestions} failed`,
  )
  show(
    'pushes',
    `${sent} documents sent, ${acknowledged} acknowledged (${((100 * acknowledged) / sent).toFixed(1)} %), ${pushedBack} pushed back (429), ${failed} failed`,
  )
  show('push to acknowledgement', shownOrNone(result.pushMs))
  show('acknowledgement to searchable', shownOrNone(result.searchableMs))
  show('deletion to acknowledgement', shownOrNone(result.deletionMs))
  show('acknowledged deletion to invisible', shownOrNone(result.invisibleMs))
  return { of: 'question or document', count: result.questionMs.length + acknowledged }
}

/** What was done, and how often. */
interface Work {
  readonly of: string
  readonly count: number
}

/** Prints what every process used of the CPU meanwhile. */
async function measured(what: string, task: () => Promise<Work>): Promise<void> {
  print(what)
  const before = house.cpu()
  const begun = performance.now()
  const { of, count } = await task()
  const wallMs = performance.now() - begun
  show(`${what}: CPU`, `of ${(wallMs / 1000).toFixed(1)} s`)
  for (const [name, ms] of house.cpu()) {
    const used = ms - (before.get(name) ?? 0)
    show(
      `  ${name}`,
      `${(used / 1000).toFixed(1)} s (${((100 * used) / wallMs).toFixed(0)} % of a core), ${(used / count).toFixed(2)} ms a ${of}`,
    )
  }
}

function shown({ n, p50, p95, p99, max }: Percentiles): string {
  return `p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(0)} (n = ${n})`
}

function shownOrNone(samples: readonly number[]): string {
  return samples.length === 0 ? 'none' : shown(percentilesOf(samples))
}
