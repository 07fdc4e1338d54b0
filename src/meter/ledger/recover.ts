import type { Clock } from '../../base/clock.ts'
import { fault } from '../../base/errors.ts'
import type { Leases } from '../../store/leases.ts'
import { type Change, type Key, put, remove, type Rows, scanAll, type Stored } from '../../store/rows.ts'
import { ACCOUNTS, LEASED, type LeasedRow, NODES, recovered } from './account-row.ts'
import { isPosted, type Unit } from './amounts.ts'
import { CLOCK_AGREEMENT_MS } from './window.ts'

/** Ends an epoch of a node, and settles what it left behind. */

/** A lease that nobody serves any more. */
export interface Orphan {
  readonly node: string
  readonly epoch: number
  readonly term: number
  /** Of the last order that was carried out: what had ended before it is posted. */
  readonly sequence: number
  /** Budget, subject, unit, period. */
  readonly account: Key
}

/** What was used of a lease and had not been posted. */
export interface Proof {
  /** By holds that ended. */
  readonly settled: number
  /** By holds that did not, at their bound. */
  readonly open: number
}

/** What a log proves of a lease; undefined: nothing, so the whole lease is posted. See
 *  `evidenceOf`. */
export type Evidence = (orphan: Orphan) => Proof | undefined | Promise<Proof | undefined>

export const NO_EVIDENCE: Evidence = () => undefined

const PAGE = 500

/** Fences whoever was the node until now: none of its commits succeeds any more. Then posts what
 *  it used and frees the rest. Returns the node's new epoch. `storeMs` tells the store's time, asked
 *  for each lease once the epoch is over: what a node used until then must not be dated earlier, or
 *  a rolling window would forget it too soon. May be repeated after any failure; throws a `Fault` (`store_unavailable`) where the store does not answer. */
export async function fence(rows: Rows, node: string, storeMs: () => number, evidence: Evidence): Promise<number> {
  const epoch = await raise(rows, node)
  let after: Key | undefined
  for (;;) {
    const page = await rows.scan(LEASED, { prefix: [node], limit: PAGE, ...(after === undefined ? {} : { after }) })
    for (const leased of page) await recover(rows, node, epoch, leased, storeMs, evidence)
    after = page.at(-1)?.key
    if (page.length < PAGE) break
  }
  return epoch
}

async function raise(rows: Rows, node: string): Promise<number> {
  for (;;) {
    const stored = await rows.get(NODES, [node])
    const epoch = (stored?.row.epoch ?? 0) + 1
    if (await rows.commit([put(NODES, [node], { epoch }, stored?.version ?? 0)])) return epoch
  }
}

async function recover(
  rows: Rows,
  node: string,
  epoch: number,
  leased: Stored<LeasedRow>,
  storeMs: () => number,
  evidence: Evidence,
): Promise<void> {
  const key = leased.key.slice(1)
  for (;;) {
    const [guard, stored] = await Promise.all([rows.get(NODES, [node]), rows.get(ACCOUNTS, key)])
    if (guard?.row.epoch !== epoch) throw fault('store_unavailable', { reason: `node ${node} was fenced meanwhile` })
    const changes: Change[] = [put(NODES, [node], guard.row, guard.version), remove(LEASED, leased.key)]
    const lease = stored?.row.leases[node]
    if (stored !== undefined && lease !== undefined && lease.epoch < epoch) {
      const posts = isPosted(key[2] as Unit)
      const { epoch, term, sequence } = lease
      const proved = posts ? await evidence({ node, epoch, term, sequence, account: key }) : undefined
      const proof = proved && { ...proved, open: proved.open + leased.row.unrecorded }
      const terms = { ...leased.row, posts, atMs: storeMs() }
      changes.push(put(ACCOUNTS, key, recovered(stored.row, node, proof, terms), stored.version))
    }
    if (await rows.commit(changes)) return
  }
}

/** Nodes that have leases and are not among those that run: nobody else will ever post what they
 *  used and give back the rest. */
export async function absentNodes(rows: Rows, running: ReadonlySet<string>): Promise<string[]> {
  const absent: string[] = []
  for await (const { key } of scanAll(rows, NODES)) {
    const [node = ''] = key
    if (running.has(node)) continue
    const [leased] = await rows.scan(LEASED, { prefix: [node], limit: 1 })
    if (leased !== undefined) absent.push(node)
  }
  return absent
}

/** Of any length: the lease is taken for the sake of its date. */
const CLOCK_LEASE_MS = 1_000
const CLOCK_SAMPLES = 5

/** How far the store's clock is ahead of the node's, in milliseconds, too little by at most
 *  `CLOCK_AGREEMENT_MS`. Throws a `Fault` (`store_unavailable`) where the store is slower. */
export async function storeOffset(leases: Pick<Leases, 'acquire'>, clock: Clock, node: string): Promise<number> {
  let best = { offsetMs: 0, tookMs: Infinity }
  for (let sample = 0; sample < CLOCK_SAMPLES; sample++) {
    const askedMs = clock.monotonicMs()
    const lease = await leases.acquire(`ledger clock ${node}`, node, CLOCK_LEASE_MS)
    if (lease === undefined) throw fault('store_unavailable', { reason: `another process is called ${node}` })
    const nowMs = clock.monotonicMs()
    const tookMs = nowMs - askedMs
    if (tookMs < best.tookMs) best = { offsetMs: lease.expiresAtMs - CLOCK_LEASE_MS - nowMs, tookMs }
  }
  if (best.tookMs <= CLOCK_AGREEMENT_MS) return best.offsetMs
  throw fault('store_unavailable', { reason: `it takes ${Math.round(best.tookMs)} ms to tell the time` })
}
