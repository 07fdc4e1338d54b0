import { ACCOUNTS, type AccountRow, type NodeRow, NODES, sumOf } from '../../src/meter/ledger/account-row.ts'
import type { Amounts } from '../../src/meter/ledger/amounts.ts'
import type { HoldLogEntry, ReadHoldLog } from '../../src/meter/ledger/evidence.ts'
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
  /** Changes what is read of a node's log. */
  readonly readLog?: (read: ReadHoldLog) => ReadHoldLog
  /** Engines are called before their hold is durable. */
  readonly logsLate?: boolean
  /** No node ever learns of a new configuration. */
  readonly stale?: boolean
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
  (alter: (row: AccountRow, unit: string | undefined) => AccountRow) =>
  (rows: Rows): Rows => ({
    get: (from, key) => rows.get(from, key),
    getMany: (from, keys) => rows.getMany(from, keys),
    scan: (from, range) => rows.scan(from, range),
    close: () => rows.close(),
    commit: (changes) =>
      rows.commit(
        changes.map((change) =>
          change.op === 'put' && change.table === ACCOUNTS.name
            ? { ...change, row: alter(change.row as AccountRow, change.key[2]) }
            : change,
        ),
      ),
  })

const reading =
  (change: (entries: HoldLogEntry[]) => HoldLogEntry[]) =>
  (read: ReadHoldLog): ReadHoldLog =>
  async (node, epoch) =>
    change([...((await read(node, epoch)) ?? [])])

/** Where an account is put with nothing posted, its leases are gone too. */
const clearing = (change: Change): Change =>
  change.op === 'put' && change.table === ACCOUNTS.name && sumOf((change.row as AccountRow).posted) === 0
    ? { ...change, row: { posted: [], leases: {} } }
    : change

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
      'posted and leased stay within the limit',
    ],
  },
  'open holds forgotten at a crash': {
    plant: { evidence: () => () => ({ settled: 0, open: 0 }) },
    breaks: [
      'what was used is posted or leased',
      'usage is the sum of its parts',
      'no engine uses more than the limit',
    ],
  },
  'a hold that is not durable before its engine is called': {
    plant: { logsLate: true },
    breaks: ['what was used is posted or leased', 'usage is the sum of its parts'],
  },
  'a log that lost holds, read as if it were whole': {
    plant: { readLog: reading((entries) => entries.filter((entry) => entry.kind !== 'hold')) },
    breaks: ['what was used is posted or leased', 'usage is the sum of its parts'],
  },
  'ends that count as posted, whenever they came': {
    plant: { readLog: reading((entries) => entries.map((one) => (one.kind === 'end' ? { ...one, after: 0 } : one))) },
    breaks: ['what was used is posted or leased', 'usage is the sum of its parts'],
  },
  'ends that nobody reads': {
    plant: { readLog: reading((entries) => entries.filter((entry) => entry.kind !== 'end')) },
    breaks: ['usage is the sum of its parts'],
  },
  'a limit that is never lowered': {
    plant: { stale: true },
    breaks: ['posted and leased stay within the limit'],
  },
  'running requests that are posted': {
    plant: {
      rows: altering((row, unit) =>
        unit === 'concurrent' && Object.keys(row.leases).length === 0 ? { ...row, posted: [[0, 1]] } : row,
      ),
    },
    breaks: ['running requests use nothing up', 'posted and leased stay within the limit'],
  },
  'a reset that frees what is held': {
    plant: { store: (changes) => changes.map(clearing) },
    breaks: [
      'what was used is posted or leased',
      'the double entry balances',
      'no hold is orphaned',
      'usage is the sum of its parts',
      'posted and leased stay within the limit',
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
