/** Measures one thing against a named reference in the same run, because on a shared machine only
 *  the ratio means something. Rounds alternate (A B, B A, A B ...), so that a slow minute hurts
 *  both, and are compared pair by pair. */
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'

export interface Contestant {
  readonly name: string
  /** One round. May return the milliseconds that each operation took, for percentiles. */
  run(): Promise<readonly number[] | void> | readonly number[] | void
  /** CPU milliseconds used so far, when the work happens in another process than this. */
  cpuMs?(): number
}

export interface CompareOptions {
  readonly name: string
  readonly subject: Contestant
  readonly reference: Contestant
  /** Pairs that count. */
  readonly rounds?: number
  /** Pairs run before, which do not. */
  readonly warmups?: number
  /** Operations in one round, so that times are told for one. */
  readonly operations?: number
}

/** What one contestant took, for one operation. */
export interface Measured {
  readonly name: string
  readonly wallMs: Spread
  readonly cpuMs: Spread
  /** Present when the rounds told single operations. */
  readonly latencyMs?: Percentiles
}

export interface Spread {
  readonly n: number
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface Percentiles {
  readonly n: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

export interface Comparison {
  readonly kind: 'comparison'
  readonly name: string
  readonly subject: Measured
  readonly reference: Measured
  /** Subject over reference, pair by pair: the median, and an interval that holds the true median
   *  in at least 95 of 100 runs (or the whole range, when there are fewer than six pairs). */
  readonly wallRatio: Interval
  readonly cpuRatio: Interval
}

export interface Interval {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** A figure that stands against a target, not a reference: start-up time, memory, latency. */
export interface Figure {
  readonly kind: 'figure'
  readonly name: string
  readonly unit: string
  readonly value: number
  readonly n: number
  readonly min?: number
  readonly max?: number
  /** What was aimed for, as words: `at most 50 ms`. */
  readonly target?: string
}

export type Result = Comparison | Figure

export interface BenchOptions {
  /** Multiplies every count of rounds; 0.2 for a quick look. */
  readonly effort: number
  readonly print: (line: string) => void
}

/** What a `*.bench.ts` file exports. */
export interface Bench {
  readonly name: string
  run(options: BenchOptions): Promise<readonly Result[]>
}

export async function compare(options: CompareOptions): Promise<Comparison> {
  const { name, subject, reference, rounds = 12, warmups = 2, operations = 1 } = options
  const subjectRounds: Round[] = []
  const referenceRounds: Round[] = []
  for (let index = 0; index < warmups + rounds; index++) {
    const subjectFirst = index % 2 === 0
    const first = await runRound(subjectFirst ? subject : reference, operations)
    const second = await runRound(subjectFirst ? reference : subject, operations)
    if (index < warmups) continue
    subjectRounds.push(subjectFirst ? first : second)
    referenceRounds.push(subjectFirst ? second : first)
  }
  const ratios = (pick: (round: Round) => number): number[] =>
    subjectRounds.map((round, index) => pick(round) / pick(referenceRounds[index] ?? round))
  return {
    kind: 'comparison',
    name,
    subject: sumUp(subject.name, subjectRounds),
    reference: sumUp(reference.name, referenceRounds),
    wallRatio: medianInterval(ratios((round) => round.wallMs)),
    cpuRatio: medianInterval(ratios((round) => round.cpuMs)),
  }
}

interface Round {
  readonly wallMs: number
  readonly cpuMs: number
  readonly latenciesMs: readonly number[]
}

async function runRound(contestant: Contestant, operations: number): Promise<Round> {
  const cpuMs = (): number => contestant.cpuMs?.() ?? ownCpuMs()
  const cpuBefore = cpuMs()
  const startedMs = performance.now()
  const latenciesMs = (await contestant.run()) ?? []
  return {
    wallMs: (performance.now() - startedMs) / operations,
    cpuMs: (cpuMs() - cpuBefore) / operations,
    latenciesMs,
  }
}

/** CPU milliseconds of this process, all threads. */
function ownCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function sumUp(name: string, rounds: readonly Round[]): Measured {
  const latencies = rounds.flatMap((round) => round.latenciesMs)
  return {
    name,
    wallMs: spreadOf(rounds.map((round) => round.wallMs)),
    cpuMs: spreadOf(rounds.map((round) => round.cpuMs)),
    ...(latencies.length > 0 ? { latencyMs: percentilesOf(latencies) } : {}),
  }
}

/** The smallest sample that at least `share` of all samples do not exceed (nearest rank): exact, no
 *  interpolation between values that never happened. */
export function percentile(samples: readonly number[], share: number): number {
  if (samples.length === 0) throw new RangeError('no samples')
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export function percentilesOf(samples: readonly number[]): Percentiles {
  const at = (share: number): number => percentile(samples, share)
  return { n: samples.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }
}

function spreadOf(samples: readonly number[]): Spread {
  return { n: samples.length, median: medianOf(samples), min: percentile(samples, 0), max: percentile(samples, 1) }
}

export function medianOf(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
}

/** A distribution-free interval for the median: the k-th smallest and k-th largest sample, with the
 *  largest k whose binomial coverage is at least 95 % (David & Nagaraja, Order Statistics, 7.1). */
export function medianInterval(samples: readonly number[]): Interval {
  const n = samples.length
  let below = 0.5 ** n
  let rank = 0
  for (let k = 1, term = below; 2 * below <= 0.05 && k <= n / 2; k++) {
    rank = k
    term = (term * (n - k + 1)) / k
    below += term
  }
  const sorted = samples.toSorted((a, b) => a - b)
  const index = Math.max(0, rank - 1)
  return { median: medianOf(samples), low: sorted[index] ?? Number.NaN, high: sorted[n - 1 - index] ?? Number.NaN }
}

/** CPU milliseconds of this process while `work` ran. */
export async function cpuMsOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** One line about where the figures were taken. */
export function machineLine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU'
  const load = loadavg().map((value) => value.toFixed(2))
  return `${availableParallelism()} cores (${model}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}-${process.arch}, Node ${process.versions.node}, load ${load.join(' ')}`
}
