import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock as clock } from '../src/base/clock.ts'
import { Refusal, sentenceOf } from '../src/base/errors.ts'
import { silentLog as log } from '../src/base/log.ts'
import { systemRandom as random } from '../src/base/random.ts'
import { Analyzer } from '../src/base/words.ts'
import { folders } from '../src/drivers/filesystem/folder.ts'
import { openFilesystemIndex } from '../src/drivers/filesystem/index.ts'
import { openProcessIngest } from '../src/drivers/process/ingest.ts'
import { openSqlite } from '../src/drivers/sqlite/store.ts'
import { chunk } from '../src/parse/chunk.ts'
import { createIngest } from '../src/retrieval/ingest/ingest.ts'
import { parse } from '../src/parse/parse.ts'
import { deadline } from '../src/parse/limits.ts'
import { NO_SOURCES } from '../tests/kit/sources.ts'
import { indexChunk } from '../src/retrieval/ingest/worker.ts'
import { put } from '../src/store/rows.ts'
import { chunkKey, CHUNKS, type ChunkRow } from '../src/retrieval/document.ts'
import { formatFiles } from './formats.ts'
import { type Bench, type BenchOptions, compare, medianOf, type Result } from './harness.ts'
import { prose } from './prose.ts'

/** How fast Markdown becomes an answering collection, through the real child process, the real
 *  store and the real index: CPU of all processes together, so that the figure says what one core
 *  does whatever else runs on the machine. */

export const name: Bench['name'] = 'ingest'

const FILES = 500
const BYTES = 12_000_000
const ROUNDS = 6
const MAIN = new URL('../src/main.ts', import.meta.url).pathname

export async function run({ effort }: BenchOptions): Promise<readonly Result[]> {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-bench-'))
  try {
    const source = join(folder, 'source')
    const bytes = await writeCorpus(source, FILES, BYTES)
    const megabytes = bytes / 1e6
    const texts = await Promise.all((await readdir(source)).sort().map((file) => readFile(join(source, file))))
    const results: Result[] = await stages(folder, texts, megabytes)
    results.push(...(await formats(Math.max(2, Math.round(ROUNDS * effort)))))
    const house = await open(folder)
    const rounds = Math.max(2, Math.round(ROUNDS * effort))
    let round = 0
    try {
      const wholeMs: number[] = []
      const subject = {
        name: 'ingest',
        run: () => house.ingest(`round-${round++}`, source),
        cpuMs: () => ownCpuMs() + house.childCpuMs(),
      }
      const timed = { ...subject, run: () => cpuOf(subject.cpuMs, subject.run, wholeMs) }
      const hash = { name: 'read and hash', run: () => readAndHash(source) }
      results.push(
        await compare({
          name: `${megabytes.toFixed(0)} MB of Markdown in ${FILES} files, and only reading and hashing them`,
          subject: timed,
          reference: hash,
          rounds,
          warmups: 1,
        }),
      )
      const count = {
        name: 'regex word count',
        run: () => void texts.reduce((sum, text) => sum + (text.toString().match(/\w+/g)?.length ?? 0), 0),
      }
      results.push(
        await compare({
          name: 'the same, and counting words with a regular expression',
          subject: timed,
          reference: count,
          rounds,
          warmups: 0,
        }),
      )
      results.push(figure('ingest of Markdown on one core, end to end', megabytes, wholeMs.slice(1), 'at least 5 MB/s'))
      const again: number[] = []
      for (let i = 0; i < rounds; i++) await cpuOf(subject.cpuMs, () => house.ingest('round-0', source), again)
      results.push(figure('the second time, all unchanged', megabytes, again))
    } finally {
      await house.close()
    }
    return results
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function figure(what: string, megabytes: number, samplesMs: readonly number[], target?: string): Result {
  const rates = samplesMs.map((ms) => megabytes / (ms / 1000))
  return {
    kind: 'figure',
    name: what,
    unit: 'MB/CPU-s',
    value: medianOf(rates),
    n: rates.length,
    min: Math.min(...rates),
    max: Math.max(...rates),
    ...(target !== undefined && { target }),
  }
}

/** Every stage by itself, in this process. */
async function stages(folder: string, files: readonly Buffer[], megabytes: number): Promise<Result[]> {
  const took = { parse: [] as number[], chunk: [] as number[], build: [] as number[], commit: [] as number[] }
  const data = await mkdtemp(join(folder, 'stages-'))
  const store = await openSqlite({ path: join(data, 'store.db'), clock, log })
  const index = openFilesystemIndex(join(data, 'index'), new Analyzer())
  for (let i = 0; i < 4; i++) {
    const rows: ChunkRow[] = []
    const parsed = await cpuOf(
      ownCpuMs,
      () => Promise.all(files.map((bytes) => parse('a.md', bytes, deadline(clock)))),
      took.parse,
    )
    await cpuOf(
      ownCpuMs,
      async () => {
        for (const document of parsed) {
          if (document instanceof Refusal) throw new Error(sentenceOf(document))
          for (const one of chunk(document.text, document.blocks)) rows.push({ document: 'doc', ...one })
        }
      },
      took.chunk,
    )
    await cpuOf(
      ownCpuMs,
      () =>
        index.build(
          `stages/${i}`,
          rows.map((row) => indexChunk(row)),
        ),
      took.build,
    )
    await cpuOf(
      ownCpuMs,
      () => store.rows.commit(rows.map((row, at) => put(CHUNKS, chunkKey(`stages/${i}`, at), row))),
      took.commit,
    )
  }
  await store.close()
  return Object.entries(took).map(([stage, samples]) => figure(`stage: ${stage}`, megabytes, samples.slice(1)))
}

/** Text of the file by which each format is measured, in UTF-16 units. */
const FORMAT_UNITS = 1_000_000

/** Every format by itself, parsed and chunked in this process: text that came out of it. */
async function formats(rounds: number): Promise<Result[]> {
  const results: Result[] = []
  for (const [name, bytes] of formatFiles(prose(21), FORMAT_UNITS)) {
    const samples: number[] = []
    let units = 0
    for (let i = 0; i <= rounds; i++)
      units = await cpuOf(
        ownCpuMs,
        async () => {
          const document = await parse(name, bytes, deadline(clock))
          if (document instanceof Refusal) throw new Error(sentenceOf(document))
          chunk(document.text, document.blocks)
          return document.text.length
        },
        samples,
      )
    results.push(
      figure(`format: ${name.slice(2)}, ${(bytes.length / 1e6).toFixed(1)} MB on disk`, units / 1e6, samples.slice(1)),
    )
  }
  return results
}

async function cpuOf<Value>(cpuMs: () => number, work: () => Promise<Value>, into: number[]): Promise<Value> {
  const before = cpuMs()
  const value = await work()
  into.push(cpuMs() - before)
  return value
}

async function open(folder: string) {
  const data = await mkdtemp(join(folder, 'data-'))
  const store = await openSqlite({ path: join(data, 'store.db'), clock, log })
  const index = openFilesystemIndex(join(data, 'index'), new Analyzer())
  const child = { entry: MAIN, role: 'ingest', arguments: [join(data, 'index')], heapMb: 768, clock, log }
  const worker = openProcessIngest(child)
  const ingest = createIngest({
    rows: store.rows,
    queue: store.queue,
    index,
    worker,
    pushWorker: openProcessIngest({ ...child, name: 'ingest-push' }),
    folders,
    sources: NO_SOURCES,
    clock,
    random,
    log,
  })
  return {
    childCpuMs: () => (worker.pid === undefined ? 0 : processCpuMs(worker.pid)),
    async ingest(collection: string, source: string): Promise<void> {
      const run = await ingest.start(collection, source)
      if (run instanceof Refusal) throw new Error(sentenceOf(run))
      const ended = Promise.withResolvers<void>()
      const off = ingest.onProgress((progress) => {
        if (progress['run'] !== run || progress['endedAt'] === null) return
        if (progress['state'] === 'done') ended.resolve()
        else ended.reject(new Error(JSON.stringify(progress['problem'])))
      })
      await ended.promise
      off()
    },
    async close(): Promise<void> {
      await ingest.stop()
      await store.close()
    },
  }
}

async function readAndHash(source: string): Promise<void> {
  for (const file of await readdir(source))
    createHash('sha256')
      .update(await readFile(join(source, file)))
      .digest('hex')
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const CLOCK_TICKS_PER_S = 100

function processCpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_S) * 1000
}

// The corpus, in the shapes handbooks have

async function writeCorpus(folder: string, files: number, bytes: number): Promise<number> {
  await mkdir(folder, { recursive: true })
  const { next, pick, words, sentence, paragraph } = prose(20)
  let total = 0
  for (let file = 0; file < files; file++) {
    const size = (bytes / files) * (0.3 + 1.4 * next())
    let text = `# ${words(3)}\n\n`
    while (text.length < size) {
      const kind = next()
      if (kind < 0.12) text += `${'#'.repeat(2 + Math.floor(next() * 2))} ${words(2 + Math.floor(next() * 4))}\n\n`
      else if (kind < 0.72) text += `${paragraph().replace(/(.{60,80}) /g, '$1\n')}\n\n`
      else if (kind < 0.84)
        text += `${Array.from({ length: 3 + Math.floor(next() * 5) }, () => `- **${pick()}**: ${sentence()}`).join('\n')}\n\n`
      else if (kind < 0.93)
        text += `\`\`\`js\n${Array.from({ length: 4 + Math.floor(next() * 10) }, () => `const ${pick()} = ${pick()}(${pick()}, ${Math.floor(next() * 1000)})`).join('\n')}\n\`\`\`\n\n`
      else
        text += `| ${pick()} | ${pick()} |\n|---|---|\n${Array.from({ length: 5 }, () => `| ${pick()} | ${words(4)} |`).join('\n')}\n\n`
    }
    total += Buffer.byteLength(text)
    await writeFile(join(folder, `${String(file).padStart(5, '0')}.md`), text)
  }
  return total
}

if (process.argv[1] === import.meta.filename) {
  const { formatResult } = await import('./table.ts')
  const effort = Number(process.argv[2] ?? 0.5)
  for (const result of await run({ effort, print: (line) => process.stdout.write(`${line}\n`) }))
    process.stdout.write(`${formatResult(result)}\n`)
}
