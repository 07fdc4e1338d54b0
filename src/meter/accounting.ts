import type { Clock, Timer } from '../base/clock.ts'
import { reasonOf, sentenceOf } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import type { Leases } from '../store/leases.ts'
import type { Rows } from '../store/rows.ts'
import type { Declared } from './declared.ts'
import type { Account } from './ledger/account.ts'
import type { Budget } from './ledger/budget.ts'
import { Escrow } from './ledger/escrow.ts'
import { evidenceOf } from './ledger/evidence.ts'
import { HoldLog, holdLogIn } from './ledger/hold-log.ts'
import { Ledger } from './ledger/ledger.ts'
import { isInForce, listOverrides, type Override } from './ledger/overrides.ts'
import { absentNodes, type Evidence, NO_EVIDENCE } from './ledger/recover.ts'
import { BudgetTable, type RequestScopes } from './ledger/table.ts'
import type { Terms } from './shortage.ts'
import { type Books, Spending } from './spending.ts'

/** The budgets of one process: what the configuration says, and the ledger that keeps it. */

export interface AccountingDependencies {
  readonly rows: Rows
  readonly leases: Pick<Leases, 'acquire'>
  readonly clock: Clock
  readonly log: Log
  /** Unique among the processes that share the store; the same again after a restart. */
  readonly node: string
  /** A share of a limit, to be told of, was passed. */
  readonly onWarning: (warning: BudgetWarning) => void
}

export interface BudgetWarning {
  readonly budget: Budget
  readonly subject: string
  /** Of the period, as the ledger names it. */
  readonly period: string
  /** Wall time in milliseconds; Infinity: it does not end. */
  readonly endsAtMs: number
  /** Of the limit, between 0 and 1. */
  readonly share: number
  readonly posted: number
}

/** So much of a limit is used before it is on record, so that calls need not wait for the store, and
 *  go on for a moment while it does not answer. A crash may waste as much. */
const UNRECORDED_SHARE = 0.001

/** Between two attempts to take up the books again. */
const REOPEN_MS = 500

/** How often a process asks for overrides: one that is granted anywhere is in force here within a
 *  second, as long as the store answers. */
const POLL_MS = 500

export class Accounting {
  readonly #dependencies: AccountingDependencies
  #escrow: Escrow | undefined
  #ledger: Ledger | undefined
  #log: HoldLog | undefined
  #declared: Declared = { budgets: [], rateLimits: [], spentStatus: 429 }
  /** As the store has them, and those of them in force. */
  #overrides: readonly Override[] = []
  #inForce: readonly Override[] = []
  #table = new BudgetTable([])
  #terms: Terms = { rateLimits: new Set(), spentStatus: 429 }
  readonly #owned = new WeakMap<readonly JsonObject[], BudgetTable>()
  #closed = false

  constructor(dependencies: AccountingDependencies) {
    this.#dependencies = dependencies
  }

  /** Takes over what processes left behind that will not run again; only where none of them runs.
   *  Their names. Rejects with a `Fault` of the store. */
  async takeOver(running: ReadonlySet<string>): Promise<string[]> {
    const { rows, leases, clock } = this.#dependencies
    const absent = await absentNodes(rows, running)
    for (const node of absent) {
      const evidence = evidenceOf(holdLogIn(rows))
      const reports = { warned() {}, failed() {}, fenced() {} }
      const escrow = await Escrow.open({ rows, leases, clock, node, evidence, reports })
      await HoldLog.open(rows, clock, escrow)
      await escrow.close()
    }
    return absent
  }

  /** Puts budgets in force in place of those there were. Accounts go on: what was used under a
   *  budget counts under the new version of it. Rejects with a `Fault` of the store, and what was
   *  in force stays. */
  async load(declared: Declared): Promise<void> {
    // Without any too: a key may carry its own.
    if (this.#escrow === undefined) {
      // One process at a time has this name, so the one before is gone.
      await this.#open(evidenceOf(holdLogIn(this.#dependencies.rows)))
      this.#overrides = await listOverrides(this.#dependencies.rows)
    }
    this.#declared = declared
    this.#tabulate()
  }

  /** In force, overrides apart. */
  get declared(): Declared {
    return this.#declared
  }

  /** Takes over overrides that were granted or have ended. Rejects with a `Fault` of the store. */
  async refresh(): Promise<void> {
    if (this.#escrow === undefined) return
    this.#overrides = await listOverrides(this.#dependencies.rows)
    const { clock } = this.#dependencies
    const inForce = this.#overrides.filter((one) => isInForce(one, clock.wallMs()))
    if (!isSame(inForce, this.#inForce)) this.#tabulate()
  }

  /** Refreshes every `POLL_MS` until the function returned is called. While the store does not
   *  answer, the overrides known last stand. */
  follow(): () => void {
    let timer: Timer | undefined
    let stopped = false
    const wait = (): void => {
      timer = stopped ? undefined : this.#dependencies.clock.after(POLL_MS, poll)
    }
    const poll = (): void =>
      void this.refresh()
        .catch(() => {})
        .finally(wait)
    wait()
    return () => {
      stopped = true
      timer?.cancel()
    }
  }

  /** Budgets of keys are looked up by the list that the key has, which changes with the key. */
  #tableOf(own: readonly JsonObject[]): BudgetTable {
    const known = this.#owned.get(own)
    if (known !== undefined) return known
    // Checked when the key was made.
    const table = new BudgetTable(own as unknown as readonly Budget[])
    this.#owned.set(own, table)
    return table
  }

  #tabulate(): void {
    const { budgets, rateLimits, spentStatus } = this.#declared
    const nowMs = this.#dependencies.clock.wallMs()
    const inForce = (this.#inForce = this.#overrides.filter((one) => isInForce(one, nowMs)))
    this.#table = new BudgetTable([...budgets, ...rateLimits], inForce, this.#table.generation + 1)
    this.#terms = { rateLimits: new Set(rateLimits.map(({ id }) => id)), spentStatus }
    this.#escrow?.configure(this.#table)
  }

  /** For one request: who makes it, what it calls, and what budgets its key carries itself. */
  spending(requestId: string, scopes: RequestScopes, own?: readonly JsonObject[]): Spending {
    const ledger = this.#ledger
    const log = this.#log
    const books: Books | undefined =
      ledger === undefined || log === undefined
        ? undefined
        : {
            ledger,
            log,
            tables: own === undefined ? [this.#table] : [this.#table, this.#tableOf(own)],
            terms: this.#terms,
          }
    return new Spending(this.#dependencies.clock, books, requestId, scopes)
  }

  /** Once no request is left: posts everything, and gives back what was put aside. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#escrow?.close()
    await this.#log?.close()
  }

  async #open(evidence: Evidence): Promise<void> {
    const { rows, leases, clock, node, log } = this.#dependencies
    const escrow = await Escrow.open({
      rows,
      leases,
      clock,
      node,
      evidence,
      unrecordedShare: UNRECORDED_SHARE,
      reports: {
        warned: (account, share) => this.#warned(account, share),
        failed: (cause) =>
          log.write('warn', 'the store did not take what budgets had to post; it is tried again', {
            reason: sentenceOf(cause),
          }),
        fenced: () => this.#fenced(),
      },
    })
    // Without its log an epoch is of no use, and must not be left to fence the next one.
    const holdLog = await HoldLog.open(rows, clock, escrow).catch(async (cause: unknown) => {
      await escrow.close().catch(() => {})
      throw cause
    })
    escrow.configure(this.#table)
    this.#escrow = escrow
    this.#log = holdLog
    this.#ledger = new Ledger(clock, escrow, {
      overrun: ({ hold, account, held, actual }) =>
        log.write('error', 'a call used more than the bound it was held at', {
          request: hold.requestId,
          budget: account.budget.id,
          unit: account.budget.unit,
          held,
          actual,
        }),
      exceeded: (account, requestId) => {
        if (account.budget.action.kind === 'dryRun')
          log.write('info', 'a budget that is tried out would have refused a request', {
            request: requestId,
            budget: account.budget.id,
            subject: account.key[1],
          })
      },
    })
  }

  /** Another took this process for dead. Its requests are refused until it has the books again. */
  #fenced(): void {
    const { log, clock } = this.#dependencies
    log.write('error', 'the budgets were taken away from this process; it takes them up again', {})
    const again = (): void => {
      if (this.#closed) return
      // What the old epoch wrote may still be under way, so its log proves nothing.
      this.#open(NO_EVIDENCE).catch((cause: unknown) => {
        log.write('error', 'the budgets cannot be taken up', { reason: reasonOf(cause) })
        clock.after(REOPEN_MS, again)
      })
    }
    again()
  }

  #warned(account: Account, share: number): void {
    const { budget, key, posted, endMs } = account
    const [, subject = '', , period = ''] = key
    this.#dependencies.onWarning({ budget, subject, period, endsAtMs: endMs, share, posted })
  }
}

const isSame = (a: readonly Override[], b: readonly Override[]): boolean =>
  a.length === b.length && a.every(({ id, limit }, at) => id === b[at]?.id && limit === b[at].limit)
