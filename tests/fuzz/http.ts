import assert from 'node:assert/strict'
import { parseArgs } from 'node:util'
import { seededRandom, uniform } from '../../src/base/random.ts'
import { BROKEN_BODIES, GOOD, HttpWire, REFUSED } from '../kit/http-wire.ts'

/** Generated requests against the server over llhttp: `npm run fuzz:http -- --cases 1000000 --seed 1`.
 *  Good and bad requests are cut, spliced, repeated and damaged, and arrive in pieces of any size. */

export interface FuzzOptions {
  readonly cases: number
  readonly seed: number
  readonly onProgress?: (cases: number) => void
}

export interface Fuzzed {
  readonly cases: number
  /** Connections on which a handler saw a request, and on which one was refused. */
  readonly served: number
  readonly refused: number
  /** Resident memory, from the first fifty thousand cases to the end. */
  readonly grownBytes: number
}

const SEEDS = [...GOOD, ...GOOD, ...REFUSED.map(([, text]) => text), ...BROKEN_BODIES.map(([, text]) => text)].filter(
  (text) => text.length < 1_000,
)
/** What parsers stumble over. */
const SPICES = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  ':',
  '\0',
  '0\r\n\r\n',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
]
const PROGRESS_CASES = 10_000
const SETTLED_CASES = 50_000

export async function fuzzHttp({ cases, seed, onProgress }: FuzzOptions): Promise<Fuzzed> {
  const random = seededRandom(seed)
  const below = (limit: number): number => Math.floor(uniform(random) * limit)
  const pick = <Item>(all: readonly Item[]): Item => all[below(all.length)] ?? assert.fail('nothing to pick from')
  const wire = new HttpWire()
  let served = 0
  let refused = 0
  let settledBytes = 0
  for (let done = 0; done < cases; done++) {
    const text = mutated(SEEDS, below, pick)
    const { seen, statuses, isClosed } = await wire.serve(split(Buffer.from(text, 'latin1'), below))
    const context = `seed ${seed}, case ${done}: ${JSON.stringify(text)}`
    assert.ok(statuses.length <= seen.length + 1, `more answers than requests: ${context}`)
    for (const status of statuses.slice(0, -1)) assert.ok(status < 400, `an answer after a refusal: ${context}`)
    if ((statuses.at(-1) ?? 200) >= 400) assert.ok(isClosed, `open after a refusal: ${context}`)
    for (const { headers, target } of seen) {
      assert.ok(target.startsWith('/'), context)
      for (const [name, value] of Object.entries(headers)) {
        assert.match(name, /^[!#$%&'*+\-.^`|~0-9a-z]+$/, context)
        assert.doesNotMatch(value ?? '', /[\r\n\0]/, context)
      }
      const isChunked = headers['transfer-encoding'] !== undefined
      assert.ok(!isChunked || headers['content-length'] === undefined, context)
    }
    if (seen.length > 0) served++
    if ((statuses.at(-1) ?? 200) >= 400) refused++
    if (done + 1 === Math.min(cases, SETTLED_CASES)) settledBytes = process.memoryUsage.rss()
    if ((done + 1) % PROGRESS_CASES === 0) onProgress?.(done + 1)
  }
  return { cases, served, refused, grownBytes: process.memoryUsage.rss() - settledBytes }
}

type Below = (limit: number) => number
type Pick = <Item>(all: readonly Item[]) => Item

function mutated(seeds: readonly string[], below: Below, pick: Pick): string {
  let text = pick(seeds)
  if (below(3) === 0) text += pick(seeds)
  for (let changes = below(4); changes > 0; changes--) {
    const at = below(text.length + 1)
    const to = Math.min(text.length, at + below(8))
    const kind = below(6)
    if (kind === 0) text = text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at)
    else if (kind === 1) text = text.slice(0, at) + text.slice(to)
    else if (kind === 2) text = text.slice(0, at) + pick(SPICES) + text.slice(at)
    else if (kind === 3) text = text.slice(0, to) + text.slice(at)
    else if (kind === 4)
      text = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << below(8))) + text.slice(at + 1)
    else text = text.slice(0, at) + pick(seeds).slice(below(100))
  }
  return text
}

function split(bytes: Buffer, below: Below): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const length = below(4) === 0 ? 1 + below(8) : 1 + below(bytes.length)
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({ options: { cases: { type: 'string' }, seed: { type: 'string' } } })
  const began = performance.now()
  const { cases, served, refused, grownBytes } = await fuzzHttp({
    cases: Number(values.cases ?? 100_000),
    seed: Number(values.seed ?? 1),
    onProgress: (done) => void process.stderr.write(`\r${done}`),
  })
  const seconds = (performance.now() - began) / 1000
  process.stdout.write(
    `\r${cases} cases in ${seconds.toFixed(0)} s: ${served} served, ${refused} refused, none broke a rule; RSS +${(grownBytes / 2 ** 20).toFixed(1)} MiB\n`,
  )
}
