import { type Change, type Key, put, remove, type Rows } from '../../store/rows.ts'
import { ACCOUNTS, type AccountRow, countedAt, sumOf } from './account-row.ts'
import type { Unit } from './amounts.ts'
import type { Budget } from './budget.ts'
import { endsBeforeMs, type Period, periodAt, rollingMsOf, startOf } from './window.ts'

/** What an administrator and the house itself do to accounts, beside the nodes that use them. */

/** Begins an account afresh, by its key (`accountKey`): nothing is posted any more. Leases stay, for requests hold them, and
 *  what nodes have used and not yet posted is still posted. The amount that was posted; undefined
 *  where there is no such account. */
export async function reset(rows: Rows, account: Key): Promise<number | undefined> {
  for (;;) {
    const stored = await rows.get(ACCOUNTS, account)
    if (stored === undefined) return undefined
    const fresh = { ...stored.row, posted: [] }
    if (await rows.commit([put(ACCOUNTS, account, fresh, stored.version)])) return sumOf(stored.row.posted)
  }
}

/** A durable account, to be read by people. Amounts in its unit. */
export interface AccountStanding {
  readonly key: Key
  readonly budget: string
  readonly subject: string
  readonly unit: Unit
  /** As `Period.key`. */
  readonly period: string
  readonly startMs: number | undefined
  readonly endMs: number | undefined
  /** Of a rolling window: what counts still. */
  readonly posted: number
  /** By all nodes; what they may use, have used and not yet posted. */
  readonly leased: number
  readonly leases: readonly { readonly node: string; readonly amount: number; readonly waitsFor: number }[]
}

export interface StandingsOptions {
  readonly budget: string
  readonly subject?: string
  /** The key of the last one before. */
  readonly after?: Key
  readonly limit: number
  /** As configured, to tell when a period ends. */
  readonly budgets?: ReadonlyMap<string, Budget>
  /** The store's time, or nearly. */
  readonly nowMs: number
}

/** The accounts of one budget, or of one of its subjects, page by page in the order of their keys. */
export async function standings(rows: Rows, options: StandingsOptions): Promise<AccountStanding[]> {
  const { budget, subject, after, limit, budgets, nowMs } = options
  const prefix = subject === undefined ? [budget] : [budget, subject]
  const found = await rows.scan(ACCOUNTS, { prefix, limit, ...(after === undefined ? {} : { after }) })
  return found.map(({ key, row }) => standing(key, row, budgets?.get(budget), nowMs))
}

function standing(key: Key, row: AccountRow, configured: Budget | undefined, nowMs: number): AccountStanding {
  const [budget = '', subject = '', unit = '', period = ''] = key
  const startMs = startOf(period)
  const within = startMs === undefined || configured === undefined ? undefined : periodAt(configured.window, startMs)
  const leases = Object.entries(row.leases).map(([node, { amount, wants }]) => ({ node, amount, waitsFor: wants }))
  return {
    key,
    budget,
    subject,
    unit: unit as Unit,
    period,
    startMs,
    endMs: endOf(within, period),
    posted: countedAt(row, rollingMsOf(period), nowMs),
    leased: leases.reduce((sum, { amount }) => sum + amount, 0),
    leases,
  }
}

/** Unless the budget has another window by now. */
const endOf = (within: Period | undefined, period: string): number | undefined =>
  within?.key === period && within.endMs < Infinity ? within.endMs : undefined

/** A calendar account stays so long after its period: last month is still looked at, a late
 *  settlement still finds its account, and a store whose clock was wrong by days loses nothing. */
export const KEPT_AFTER_END_MS = 35 * 24 * 3_600_000

/** Removes accounts that nothing can be asked of any more, of one page of all accounts: periods
 *  over for `KEPT_AFTER_END_MS`, rolling windows in which nothing counts, running requests that
 *  are over. One that any node has a lease of stays, whatever its age. Returns where to go on; undefined: that
 *  was the last page. `storeMs`: the store's time. */
export async function sweep(
  rows: Rows,
  { after, limit, storeMs }: { readonly after?: Key | undefined; readonly limit: number; readonly storeMs: number },
): Promise<{ readonly removed: number; readonly next: Key | undefined }> {
  const page = await rows.scan(ACCOUNTS, { limit, ...(after === undefined ? {} : { after }) })
  const changes = page
    .filter(({ key, row }) => isOver(key, row, storeMs))
    .map(({ key, version }) => remove(ACCOUNTS, key, version))
  const next = page.length === limit ? page.at(-1)?.key : undefined
  return { removed: await removeAll(rows, changes), next }
}

function isOver(key: Key, row: AccountRow, storeMs: number): boolean {
  if (Object.keys(row.leases).length > 0) return false
  const [, , , period = ''] = key
  const endsMs = endsBeforeMs(period)
  if (endsMs !== undefined) return endsMs + KEPT_AFTER_END_MS < storeMs
  const durationMs = rollingMsOf(period)
  return durationMs === undefined ? sumOf(row.posted) === 0 : countedAt(row, durationMs, storeMs) === 0
}

/** All at once; one by one where somebody got in between. */
async function removeAll(rows: Rows, changes: readonly Change[]): Promise<number> {
  if (changes.length === 0) return 0
  if (await rows.commit(changes)) return changes.length
  if (changes.length === 1) return 0
  const middle = changes.length >> 1
  return (await removeAll(rows, changes.slice(0, middle))) + (await removeAll(rows, changes.slice(middle)))
}
