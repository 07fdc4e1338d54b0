import { ACCOUNTS, type AccountRow, type NodeRow, NODES } from '../../src/meter/ledger/account-row.ts'
import type { Amounts } from '../../src/meter/ledger/amounts.ts'
import { Hold, type Ledger, type LedgerReports } from '../../src/meter/ledger/ledger.ts'
import type { Evidence } from '../../src/meter/ledger/recover.ts'
import type { Change, Rows } from '../../src/store/rows.ts'
import type { LedgerInvariant } from './invariants.ts'
import type { RequestPlan } from './scenario.ts'

/** A fault put between the ledger and what it stands on. */
export interface Plant {
  readonly rows?: (rows: Rows) => Rows
  readonly store?: (changes: readonly Change[]) => readonly Change[]
  readonly evidence?: (evidence: Evidence) => Evidence
  readonly ledger?: (ledger: Ledger) => Ledger
  readonly reports?: LedgerReports
  /** What the engine uses. */
  readonly actual?: (request: RequestPlan) => Amounts
  /** What the ledger is told of it. */
  readonly told?: (actual: Amounts, request: RequestPlan) => Amounts
}

interface Planted {
  readonly plant: Plant
  /** One of these must be seen. */
  readonly breaks: readonly LedgerInvariant[]
}

const times = (amounts: Amounts, factor: number): Amounts =>
  Object.fromEntries(Object.entries(amounts).map(([unit, amount]) => [unit, Math.floor(amount * factor)])) as Amounts

/** Changes accounts on their way to the store. */
const altering =
  (alter: (row: AccountRow) => AccountRow) =>
  (rows: Rows): Rows => ({
    get: (from, key) => rows.get(from, key),
    getMany: (from, keys) => rows.getMany(from, keys),
    scan: (from, range) => rows.scan(from, range),
    close: () => rows.close(),
    commit: (changes) =>
      rows.commit(
        changes.map((change) =>
          change.op === 'put' && change.table === ACCOUNTS.name
            ? { ...change, row: alter(change.row as AccountRow) }
            : change,
        ),
      ),
  })

const unversioned = ({ op, table, key, ...rest }: Change): Change =>
  op === 'put' ? { op, table, key, row: 'row' in rest ? rest.row : undefined } : { op, table, key }

const withLedger =
  (change: (ledger: Ledger) => Partial<Pick<Ledger, 'admit' | 'settle'>>) =>
  (ledger: Ledger): Ledger => {
    const changed = change(ledger)
    return new Proxy(ledger, {
      get(target, name) {
        const value: unknown = Reflect.get(name in changed ? changed : target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

/** A node that never learns that another took it for dead, and whose commits nothing checks. */
function unguarded(rows: Rows): Rows {
  let own: number | undefined
  const isGuard = (change: Change): boolean =>
    change.op === 'put' && change.table === NODES.name && (change.row as NodeRow).epoch === own
  return {
    get: async (from, key) => {
      const stored = await rows.get(from, key)
      if (from.name !== NODES.name || own === undefined || stored === undefined) return stored
      return { ...stored, row: { ...stored.row, epoch: own } }
    },
    getMany: (from, keys) => rows.getMany(from, keys),
    scan: (from, range) => rows.scan(from, range),
    close: () => rows.close(),
    commit: async (changes) => {
      const done = await rows.commit(changes.filter((change) => !isGuard(change)))
      for (const change of changes)
        if (done && change.op === 'put' && change.table === NODES.name) own = (change.row as NodeRow).epoch
      return done
    },
  }
}

export const PLANTS: { readonly [name: string]: Planted } = {
  'a store that ignores versions': {
    plant: { store: (changes) => changes.map(unversioned) },
    breaks: [
      'posted and leased stay within the limit',
      'what was used is posted or leased',
      'no hold is orphaned',
      'usage is the sum of its parts',
      'the double entry balances',
    ],
  },
  'no guard of the epoch': {
    plant: { rows: unguarded },
    breaks: [
      'no hold is orphaned',
      'usage is the sum of its parts',
      'what was used is posted or leased',
      'the double entry balances',
    ],
  },
  'open holds forgotten at a crash': {
    plant: { evidence: () => () => 0 },
    breaks: [
      'what was used is posted or leased',
      'usage is the sum of its parts',
      'no engine uses more than the limit',
    ],
  },
  'a grant beyond the headroom': {
    plant: {
      rows: altering((row) => ({
        ...row,
        leases: Object.fromEntries(
          Object.entries(row.leases).map(([node, lease]) => [node, { ...lease, amount: lease.amount * 3 }]),
        ),
      })),
    },
    breaks: ['posted and leased stay within the limit', 'the double entry balances'],
  },
  'a posting lost': {
    plant: { rows: altering((row) => ({ ...row, posted: [] })) },
    breaks: [
      'what was used is posted or leased',
      'usage is the sum of its parts',
      'no engine uses more than the limit',
    ],
  },
  'an engine that ignores the cap': {
    plant: { actual: ({ bound }) => times(bound, 1_000) },
    breaks: [
      'no engine uses more than the limit',
      'the double entry balances',
      'posted and leased stay within the limit',
      'what was used is posted or leased',
    ],
  },
  'a settlement that posts half': {
    plant: { told: (actual) => times(actual, 0.5) },
    breaks: [
      'what was used is posted or leased',
      'usage is the sum of its parts',
      'no engine uses more than the limit',
    ],
  },
  'a settlement that posts the bound': {
    plant: { told: (_, { bound }) => bound },
    breaks: ['usage is the sum of its parts'],
  },
  'a hold settled twice': {
    plant: {
      ledger: withLedger((ledger) => ({
        settle: (hold, actual) => {
          hold.state = 'open'
          return ledger.settle(hold, actual)
        },
      })),
    },
    breaks: ['a hold ends once', 'the double entry balances'],
  },
  'a hold never settled': {
    plant: {
      ledger: withLedger(() => {
        const told = new Set<Hold>()
        return { settle: (hold) => told.size < told.add(hold).size }
      }),
    },
    breaks: ['no hold is orphaned'],
  },
  'a node that never asks for more': {
    plant: {
      ledger: withLedger((ledger) => ({
        admit: async (...request) => {
          const result = ledger.reserve(...request)
          return result instanceof Hold ? result : result.withReason('spent')
        },
      })),
    },
    breaks: ['a budget is used before it is refused'],
  },
  'a request nobody answers': {
    plant: { ledger: withLedger(() => ({ admit: () => new Promise(() => {}) })) },
    breaks: ['every request is answered'],
  },
}
