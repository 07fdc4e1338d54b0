import { spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Bench, type BenchOptions, type Figure, medianOf, percentile, type Result } from './harness.ts'
import type { Load, Loaded } from './load.ts'
import { KEY, type Program, startHouse, startUpstream } from './processes.ts'
import { startProxies, type Proxy } from './proxies.ts'

/** The gateway beside what else could stand in the path, all in front of one model server and in one
 *  run, keys, budgets in tokens and money, prices and the durable record on: CPU of a request and of a
 *  chunk, what is added to latency, and what thousands of streams take. The others only pass on. */

export const name: Bench['name'] = 'proxies'

const CONNECTIONS = 16
const REQUESTS = 4_000
const WARMUP_REQUESTS = 30_000
const ROUNDS = 7
const STREAMS = 60
const CHUNKS = 200
const IDLE_STREAMS = 9_000
const SLOW_MS = 200
const SLOW_CONNECTIONS = 1_000
/** Of what the machine can do at most: arrivals are paced well below it. */
const PACED_PER_SECOND = 400
const DISCONNECTS = 50

const BODY = {
  model: 'bench',
  messages: [{ role: 'user', content: 'A question of the usual length, asked again and again. '.repeat(14) }],
}
const config = (upstream: string): string => `
engines: { up: { kind: openai, url: "http://${upstream}/v1" } }
models: { bench: { deployments: [{ engine: up, model: weights, price: { inputUsd: 1, outputUsd: 2 } }] } }
collections: { handbook: { sources: [] } }
limits: { requestsInFlightMax: 20000 }
budgets:
  - { scope: global, limit: { tokens: 4000000000000, usd: 8000000 }, window: lifetime }
  - { scope: key, limit: { tokens: 4000000000000 }, window: month }
`

export async function run({ effort, print }: BenchOptions): Promise<readonly Result[]> {
  const upstream = await startUpstream()
  const house = await startHouse({ config: config(upstream.address) })
  const ours: Proxy = {
    name: 'Headworks',
    address: house.address,
    headers: { authorization: `Bearer ${KEY}` },
    cpuMs: () => house.cpuMs(),
    stop: () => house.stop(),
  }
  const others = await startProxies(upstream.address, print)
  try {
    const results: Result[] = []
    const parts = [
      () => perRequest([ours, ...others], effort),
      () => perChunk([ours, ...others], effort, print),
      () => paced(ours, upstream, effort),
      () => slow(ours, upstream),
      () => disconnects(ours, upstream),
      () => idle(ours, house),
    ]
    for (const part of parts)
      await part().then(
        (measured) => void results.push(...measured),
        (thrown: unknown) => print(`not measured: ${String(thrown).slice(0, 300)}`),
      )
    return results
  } finally {
    for (const one of [ours, ...others]) await one.stop()
    await upstream.stop()
    print('')
  }
}

const loadOf = ({ address, headers }: Pick<Proxy, 'address' | 'headers'>, more: Partial<Load>, body = {}): Load => ({
  address,
  path: '/v1/chat/completions',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify({ ...BODY, ...body }),
  connections: CONNECTIONS,
  requests: REQUESTS,
  ...more,
})

/** In a process of its own, so that nothing of it counts. */
function sent(load: Load): Promise<Loaded> {
  const program = fileURLToPath(new URL('load.ts', import.meta.url))
  const child = spawn(process.execPath, [program, JSON.stringify(load)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()))
  return new Promise((resolve, reject) => {
    child.once('close', () => {
      if (text === '') return reject(new Error('the load did not end'))
      const loaded = JSON.parse(text) as Loaded
      if (loaded.failed > 0)
        reject(new Error(`${loaded.failed} of ${load.requests} requests failed: ${loaded.failure}`))
      else resolve(loaded)
    })
  })
}

/** CPU microseconds of what one load costs each, round by round. */
async function costs(
  all: readonly Proxy[],
  rounds: number,
  load: (one: Proxy) => Load,
): Promise<Map<string, number[]>> {
  const costs = new Map(all.map(({ name }) => [name, [] as number[]]))
  for (let round = 0; round < rounds; round++) {
    for (const one of round % 2 === 0 ? all : all.toReversed()) {
      const beforeMs = one.cpuMs()
      await sent(load(one))
      costs.get(one.name)?.push((one.cpuMs() - beforeMs) * 1000)
    }
  }
  return costs
}

async function perRequest(all: readonly Proxy[], effort: number): Promise<Result[]> {
  for (const one of all) await sent(loadOf(one, { requests: Math.round(WARMUP_REQUESTS * Math.min(1, effort)) }))
  const rounds = Math.max(3, Math.round(ROUNDS * effort))
  const measured = await costs(all, rounds, (one) => loadOf(one, {}))
  return table(measured, REQUESTS, 'a whole answer', {
    Headworks: 'at most 60 us',
    nginx: 'below 1',
    HAProxy: 'at most 2.5',
    Portkey: 'at most 0.083',
  })
}

/** The difference of long and short streams, each chunk in a packet of its own. */
async function perChunk(candidates: readonly Proxy[], effort: number, print: BenchOptions['print']): Promise<Result[]> {
  const rounds = Math.max(3, Math.round(ROUNDS * effort))
  const stream = (chunks: number) => (one: Proxy) =>
    loadOf(one, { requests: STREAMS }, { stream: true, bench_chunks: chunks })
  const all: Proxy[] = []
  for (const one of candidates)
    await sent(stream(CHUNKS)(one)).then(
      () => void all.push(one),
      (thrown: unknown) => print(`${one.name} is not compared in streams: ${String(thrown).slice(0, 200)}`),
    )
  const long = await costs(all, rounds, stream(2 * CHUNKS))
  const short = await costs(all, rounds, stream(CHUNKS))
  const differences = new Map(
    [...long].map(([name, us]) => [name, us.map((one, at) => one - (short.get(name)?.[at] ?? 0))]),
  )
  return table(differences, STREAMS * CHUNKS, 'a chunk of a stream', { Headworks: 'at most 25 us' })
}

function table(
  measured: ReadonlyMap<string, readonly number[]>,
  operations: number,
  what: string,
  targets: { readonly [name: string]: string },
): Figure[] {
  const ours = measured.get('Headworks') ?? []
  return [...measured].flatMap(([name, all]) => {
    const each = all.map((us) => us / operations)
    const cpu = figure(`CPU of ${what}, ${name}`, 'us', each, name === 'Headworks' ? targets[name] : undefined)
    if (name === 'Headworks') return [cpu]
    const ratios = all.map((us, at) => (ours[at] ?? Number.NaN) / us)
    return [cpu, figure(`CPU of ${what}, Headworks over ${name}`, 'times', ratios, targets[name])]
  })
}

/** Arrivals that wait for nobody, at the gateway and at the model server itself. */
async function paced(ours: Proxy, upstream: Program, effort: number): Promise<Result[]> {
  const requests = Math.round(4_000 * effort)
  const more = { requests, perSecond: PACED_PER_SECOND, connections: 64 }
  const direct: Loaded[] = []
  const through: Loaded[] = []
  for (let round = 0; round < 3; round++) {
    direct.push(await sent(loadOf({ address: upstream.address, headers: {} }, more)))
    through.push(await sent(loadOf(ours, more)))
  }
  const added = (share: number): number[] =>
    through.map((one, at) => percentile(one.latenciesMs, share) - percentile(direct[at]?.latenciesMs ?? [], share))
  return [
    figure(`added at ${PACED_PER_SECOND} arrivals/s, p50`, 'ms', added(0.5), 'at most 0.3 ms'),
    figure(`added at ${PACED_PER_SECOND} arrivals/s, p99`, 'ms', added(0.99), 'at most 2 ms'),
  ]
}

async function slow(ours: Proxy, upstream: Program): Promise<Result[]> {
  const more = { requests: 5 * SLOW_CONNECTIONS, connections: SLOW_CONNECTIONS }
  const body = { bench_delay_ms: SLOW_MS }
  const direct = await sent(loadOf({ address: upstream.address, headers: {} }, more, body))
  const through = await sent(loadOf(ours, more, body))
  const [theirs, own] = [direct, through].map(({ latenciesMs }) => percentile(latenciesMs, 0.99))
  return [
    figure(`p99 of ${SLOW_CONNECTIONS} at once over ${SLOW_MS} ms, direct`, 'ms', [theirs ?? Number.NaN]),
    figure(
      `p99 of ${SLOW_CONNECTIONS} at once over ${SLOW_MS} ms, over direct`,
      'times',
      [(own ?? Number.NaN) / (theirs ?? 1)],
      'at most 1.5',
    ),
  ]
}

async function idle(ours: Proxy, house: Program): Promise<Result[]> {
  const before = await house.rssBytes()
  const sockets: Socket[] = []
  const batch = 250
  for (let open = 0; open < IDLE_STREAMS; open += batch)
    sockets.push(...(await Promise.all(Array.from({ length: batch }, () => held(ours)))))
  await pause(1_000)
  const each = ((await house.rssBytes()) - before) / sockets.length / 1024
  for (const socket of sockets) socket.destroy()
  await pause(2_000)
  return [figure(`resident memory of each of ${IDLE_STREAMS} open streams`, 'KiB', [each], 'at most 20 KiB')]
}

/** An open stream whose first chunk has arrived. */
function held({ address, headers }: Proxy): Promise<Socket> {
  const [host, port] = address.split(':')
  const body = JSON.stringify({ ...BODY, stream: true, bench_hold: true })
  const socket = connect({ host: host ?? '', port: Number(port), noDelay: true })
  const lines = Object.entries({ host: address, 'content-length': String(body.length), ...headers })
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
  )
  return new Promise((resolve, reject) => {
    socket.once('data', (bytes) => {
      if (bytes.toString('latin1').startsWith('HTTP/1.1 200')) resolve(socket)
      else reject(new Error(bytes.toString('latin1').slice(0, 300)))
    })
    socket.once('error', reject)
  })
}

/** Until the model server's side is closed: its connections are counted by the system. */
async function disconnects(ours: Proxy, upstream: Program): Promise<Result[]> {
  const took: number[] = []
  for (let at = 0; at < DISCONNECTS; at++) {
    const socket = await held(ours)
    const open = await upstream.connections()
    const began = performance.now()
    socket.destroy()
    while ((await upstream.connections()) >= open) if (performance.now() - began > 5_000) throw new Error('still open')
    took.push(performance.now() - began)
  }
  return [
    figure('client gone to model server told, p50', 'ms', [percentile(took, 0.5)], 'at most 50 ms'),
    figure('client gone to model server told, most', 'ms', [percentile(took, 1)], 'at most 50 ms'),
  ]
}

function figure(name: string, unit: string, all: readonly number[], target?: string): Figure {
  const [min, max] = [Math.min(...all), Math.max(...all)]
  return {
    kind: 'figure',
    name,
    unit,
    value: medianOf(all),
    n: all.length,
    min,
    max,
    ...(target === undefined ? {} : { target }),
  }
}
