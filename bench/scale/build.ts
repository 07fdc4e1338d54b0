import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatCount } from '../../src/base/units.ts'
import type { Index, IndexChunk } from '../../src/store/index.ts'
import { attributesOf, type Corpus } from './corpus.ts'
import { type Nearest, Truth } from './truth.ts'

/** Builds an index of many vectors, segment by segment. One that is built stays when the build is
 *  killed, and the next build goes on after it. */

export interface BuiltSegment {
  readonly segment: string
  readonly first: number
  readonly vectors: number
  readonly wallMs: number
  readonly cpuMs: number
  /** Of that, the making of the vectors and of the truth they are judged by. */
  readonly corpusMs: number
  readonly rssMaxBytes: number
  readonly nearest: Nearest
}

const SEGMENT_VECTORS = 2_000_000
const PART = 1_024
/** Questions whose nearest vectors are found by comparing each with each. */
const JUDGED = 100

export async function buildAll(
  index: Index,
  corpus: Corpus,
  vectors: number,
  folder: string,
  print: (line: string) => void,
): Promise<BuiltSegment[]> {
  await mkdir(folder, { recursive: true })
  const built: BuiltSegment[] = []
  for (let first = 0; first < vectors; first += SEGMENT_VECTORS) {
    const segment = `scale/from-${first}`
    const record = join(folder, `from-${first}.json`)
    if (existsSync(record)) {
      built.push(JSON.parse(await readFile(record, 'utf8')) as BuiltSegment)
      continue
    }
    await index.drop(segment) // What a killed build left.
    const one = await buildOne(index, corpus, segment, first, Math.min(SEGMENT_VECTORS, vectors - first), print)
    await writeFile(`${record}.new`, JSON.stringify(one))
    await rename(`${record}.new`, record)
    built.push(one)
    print(
      `${segment}: ${formatCount(one.vectors)} vectors in ${Math.round(one.wallMs / 1000)} s, ${Math.round(one.cpuMs / 1000)} s of CPU`,
    )
  }
  return built
}

async function buildOne(
  index: Index,
  corpus: Corpus,
  segment: string,
  first: number,
  vectors: number,
  print: (line: string) => void,
): Promise<BuiltSegment> {
  const questions = Array.from({ length: JUDGED }, (_, at) => corpus.question(at))
  const truth = new Truth(questions, corpus.dimension)
  let [corpusMs, rssMaxBytes] = [0, 0]
  const watch = setInterval(() => {
    rssMaxBytes = Math.max(rssMaxBytes, process.memoryUsage.rss())
  }, 1_000)
  async function* parts(): AsyncGenerator<IndexChunk[]> {
    for (let at = 0; at < vectors; at += PART) {
      const began = performance.now()
      const part: IndexChunk[] = []
      for (let number = first + at; number < first + Math.min(vectors, at + PART); number++) {
        const vector = corpus.vector(number)
        truth.add(number, vector)
        part.push({ text: '', vector, attributes: attributesOf(number) })
      }
      corpusMs += performance.now() - began
      if (at % (PART * 200) === 0) print(`${segment}: ${formatCount(at)} of ${formatCount(vectors)} handed over`)
      yield part
    }
    print(`${segment}: all handed over, building the graph`)
  }
  const [beganMs, before] = [performance.now(), process.cpuUsage()]
  await index.build(segment, parts())
  clearInterval(watch)
  const { user, system } = process.cpuUsage(before)
  const wallMs = performance.now() - beganMs
  return {
    segment,
    first,
    vectors,
    wallMs,
    cpuMs: (user + system) / 1000,
    corpusMs,
    rssMaxBytes,
    nearest: truth.nearest(),
  }
}
