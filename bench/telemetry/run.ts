/** Telemetry at scale: loads spans through the intake, then asks what people ask. `npm run
 *  bench:telemetry -- --spans 20000000 --folder DIR` goes on where an earlier run in that folder stopped; with
 *  `--seconds` it loads for that long at most, and asks of what is there.
 *  The reference beside each figure of the intake is the same bodies parsed and appended to a file
 *  without an index: what any store must do at least. */
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Telemetry } from '../../src/house/telemetry-store.ts'
import { Adapter } from '../../src/trace/adapt.ts'
import { readDelivery } from '../../src/trace/intake.ts'
import type { TraceQuery } from '../../src/trace/port.ts'
import { recordText } from '../../src/trace/record.ts'
import { agentSpans, protobufOf } from '../../tests/kit/otlp.ts'
import { percentilesOf } from '../harness.ts'

const TRACES_PER_BATCH = 64
const SPANS_PER_TRACE = 8
const SPANS_PER_BATCH = TRACES_PER_BATCH * SPANS_PER_TRACE
const SENDERS = 8
const RETRY_MS = 50
const QUESTIONS = 60
/** Telemetry of so many days lies between the first trace and the last. */
const DAYS = 7
const ROOT = join(import.meta.dirname, '..', '..')

const option = (name: string, fallback: string): string => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? fallback : (process.argv[at + 1] ?? fallback)
}
const spans = Number(option('spans', '200000'))
const loadMsMax = Number(option('seconds', 'Infinity')) * 1000
const given = option('folder', '')
const folder = given === '' ? mkdtempSync(join(tmpdir(), 'headworks-telemetry-')) : given
mkdirSync(folder, { recursive: true })
const batches = Math.ceil(spans / SPANS_PER_BATCH)
const prices = { shipped: { path: 'prices', bytes: readFileSync(join(ROOT, 'catalogue', 'prices.json')) } }

const print = (line: string): void => void process.stdout.write(`${line}\n`)
const cpuUs = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since)
  return user + system
}

interface Progress {
  readonly startUs: number
  readonly batch: number
}

function progress(): Progress {
  try {
    return JSON.parse(readFileSync(join(folder, 'progress.json'), 'utf8')) as Progress
  } catch {
    return { startUs: (Date.now() - DAYS * 86_400_000) * 1000, batch: 0 }
  }
}

/** Its traces lie evenly over the days. */
function bodyOf(batch: number, startUs: number): Uint8Array {
  const shift = Math.floor((DAYS * 86_400_000_000 * batch) / batches)
  return protobufOf(
    agentSpans(1 + batch * TRACES_PER_BATCH, TRACES_PER_BATCH, startUs + shift - batch * 64_000, SPANS_PER_TRACE),
  )
}

async function load(store: Telemetry): Promise<void> {
  const { startUs, batch: first } = progress()
  let next = first
  let encodeUs = 0
  const beganMs = performance.now()
  const began = process.cpuUsage()
  const send = async (): Promise<void> => {
    while (next < batches && performance.now() - beganMs < loadMsMax) {
      const batch = next++
      const mark = process.threadCpuUsage()
      const bytes = bodyOf(batch, startUs)
      const { user, system } = process.threadCpuUsage(mark)
      encodeUs += user + system
      for (;;) {
        try {
          await store.take({ signal: 'traces', encoding: 'protobuf', compression: '', bytes, tenant: '' })
          break
        } catch {
          await sleep(RETRY_MS)
        }
      }
      if (batch % 500 === 0) {
        writeFileSync(join(folder, 'progress.json'), JSON.stringify({ startUs, batch: Math.max(0, batch - SENDERS) }))
        process.stderr.write(`\r\x1b[K${batch * SPANS_PER_BATCH} of ${spans} spans`)
      }
    }
  }
  await Promise.all(Array.from({ length: SENDERS }, send))
  while ((await store.status()).waitingBytes > 0) await sleep(RETRY_MS)
  const ms = performance.now() - beganMs
  const loaded = (next - first) * SPANS_PER_BATCH
  writeFileSync(join(folder, 'progress.json'), JSON.stringify({ startUs, batch: next }))
  process.stderr.write('\r\x1b[K')
  if (loaded === 0) return
  const us = (cpuUs(began) - encodeUs) / loaded
  print(`taken in    ${Math.round((loaded / ms) * 1000)} spans/s, ${us.toFixed(1)} us of CPU a span (n = ${loaded})`)
  print(`            x${(us / floorUs(startUs)).toFixed(1)} of parsing and appending the same bodies to a file`)
}

/** CPU a span of reading the bodies and writing what they say to a file, and nothing else. */
function floorUs(startUs: number): number {
  const bodies = Array.from({ length: 50 }, (_, batch) => bodyOf(batch, startUs))
  const adapter = new Adapter(() => undefined)
  const path = join(folder, 'floor')
  const runs = Array.from({ length: 3 }, () => {
    const began = process.cpuUsage()
    for (const bytes of bodies) {
      const rows = readDelivery({ signal: 'traces', encoding: 'protobuf', compression: '', bytes, tenant: '' }, adapter)
      appendFileSync(path, recordText(rows, 0))
    }
    return cpuUs(began) / (bodies.length * SPANS_PER_BATCH)
  })
  rmSync(path)
  return Math.min(...runs)
}

async function timed(
  what: string,
  limitMs: number,
  ask: (n: number) => Promise<unknown>,
  n = QUESTIONS,
): Promise<void> {
  const times: number[] = []
  const began = process.cpuUsage()
  for (let at = 0; at < n; at++) {
    const beganMs = performance.now()
    await ask(at)
    times.push(performance.now() - beganMs)
  }
  const { p50, p95, p99 } = percentilesOf(times)
  const shown = [p50, p95, p99, cpuUs(began) / 1000 / n].map((ms) => ms.toFixed(1))
  print(
    `${what.padEnd(28)}p50 ${shown[0]} ms, p95 ${shown[1]} ms, p99 ${shown[2]} ms, ${shown[3]} ms of CPU (n = ${n}); to reach: p95 ${limitMs} ms`,
  )
}

const store = new Telemetry({
  folder: join(folder, 'telemetry'),
  prices,
  sampling: { share: 1 },
  keptDays: 3650,
  files: true,
  log: { write: (_, message) => print(message) },
})
await load(store)
const beforeShipping = process.cpuUsage()
const waiting = (await store.status()).recentSpans
await store.settle()
if (waiting > 0) print(`into files  ${(cpuUs(beforeShipping) / waiting).toFixed(1)} us of CPU a span (n = ${waiting})`)
const status = await store.status()
print(
  `${status.traces} traces; ${status.fileSpans} spans in ${status.files} files, ${(status.fileBytes / status.fileSpans).toFixed(1)} bytes a span`,
)

const { startUs, batch: loadedBatches } = progress()
const loadedUs = Math.floor((DAYS * 86_400_000_000 * loadedBatches) / batches)
const list = (query: Partial<TraceQuery>) => (): Promise<unknown> => store.traces({ limit: 50, ...query })
const at = (n: number): number => startUs + (((n * 7919) % 1000) / 1000) * loadedUs
const traceAt = async (n: number) => (await store.traces({ limit: 1, toUs: at(n) })).traces[0]
await timed('list, newest', 50, list({}))
await timed('list, at some time', 50, (n) => store.traces({ limit: 50, toUs: at(n) }))
await timed('list, of a user', 50, (n) => store.traces({ limit: 50, user: `user-${(n * 37) % 1000}` }))
await timed('list, of a model', 50, (n) => store.traces({ limit: 50, model: 'gpt-4o', toUs: at(n) }))
await timed('list, failed', 50, (n) => store.traces({ limit: 50, status: 'error', toUs: at(n) }))
await timed('list, the slowest', 50, (n) => store.traces({ limit: 50, durationUsMin: 2_890_000, toUs: at(n) }))
await timed('list, the dearest', 50, (n) => store.traces({ limit: 50, costNanoUsdMin: 15_000_000, toUs: at(n) }))
const some = (await Promise.all(Array.from({ length: QUESTIONS }, (_, n) => traceAt(n)))).flatMap((one) => one ?? [])
await timed('one trace', 60, (n) => store.trace(some[n % some.length]?.traceId ?? '', { offset: 0, limit: 1000 }))
const range = { fromUs: startUs, toUs: startUs + loadedUs }
await timed(
  'dashboard, all by model',
  500,
  () => store.series({ ...range, by: ['model'], where: {}, overTime: true }),
  20,
)
await timed(
  'dashboard, stages',
  500,
  () => store.series({ ...range, by: ['kind', 'name'], where: {}, overTime: false }),
  20,
)
await timed('words, rare', 1000, (n) => store.traces({ limit: 50, text: `index ${97 * (1 + n * 13)} timed` }))
await timed('words, common', 1000, list({ text: 'handbook' }))
await store.close()
if (given === '') rmSync(folder, { recursive: true })
