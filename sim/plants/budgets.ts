import type { ClientRequest } from '../../src/base/http.ts'
import { isObject } from '../../src/base/json.ts'
import type { Budget } from '../../src/meter/ledger/budget.ts'
import { ACCOUNTS, type AccountRow } from '../../src/meter/ledger/account-row.ts'
import { NO_USAGE } from '../../src/meter/usage.ts'
import type { Change, Range, Rows } from '../../src/store/rows.ts'
import type { Plant } from '../house.ts'
import { onClient, onEvents, onReply, type Plants, retold, wrapHandler } from './ports.ts'

/** Faults of budgets and of the books they are kept in. */

export const BUDGET_PLANTS: Plants = {
  'postings lost': {
    breaks: ['what is charged is on the books'],
    plant: onAccounts((row) => ({ ...row, posted: [] })),
  },
  'more leased than there is': {
    breaks: ['the books keep to the limit'],
    plant: onAccounts((row) => ({
      ...row,
      leases: mapped(row.leases, (lease) => ({ ...lease, amount: lease.amount * 1_000 })),
    })),
  },
  'posted beyond what was used': {
    breaks: ['nothing stays held', 'the books keep to the limit', 'a crash costs what was open'],
    plant: onAccounts((row) => ({
      ...row,
      posted: row.posted.map(([bucket, amount]) => [bucket, amount + 1] as const),
    })),
  },
  'lease never given back': {
    breaks: ['nothing stays held', 'comes to rest'],
    plant: onRows((rows) => {
      const held = new Map<string, AccountRow['leases']>()
      return {
        commit: (changes) =>
          rows.commit(
            changes.map((change) => {
              if (!isAccount(change)) return change
              const row = change.row as AccountRow
              const name = change.key.join()
              if (Object.keys(row.leases).length > 0) held.set(name, row.leases)
              return { ...change, row: { ...row, leases: held.get(name) ?? {} } }
            }),
          ),
      }
    }),
  },
  'record of holds never cleared': {
    breaks: ['nothing stays held'],
    plant: onRows((rows) => ({
      commit: (changes) =>
        rows.commit(
          changes.filter(({ op, table, key }) => op === 'put' || table !== 'ledger.holds' || key[3] !== 'end'),
        ),
    })),
  },
  'record of holds lost': {
    breaks: ['a crash costs what was open'],
    plant: onRows((rows) => ({
      scan: (from, range) => (isEvidence(from, range) ? Promise.resolve([]) : rows.scan(from, range)),
    })),
  },
  'holds recovered as nothing': {
    breaks: ['what is charged is on the books'],
    plant: onRows((rows) => ({
      scan: async (from, range) => {
        const page = await rows.scan(from, range)
        return isEvidence(from, range) ? page.filter(({ key }) => key[3] === 'begin') : page
      },
    })),
  },
  'cap raised on its way': {
    breaks: ['no engine may use more than is left', "an overrun is an engine's"],
    plant: onClient((client, request, handler) => client.start({ ...request, body: uncapped(request) }, handler)),
  },
  'usage blown up': {
    breaks: ["an overrun is an engine's", "usage is the engine's"],
    plant: onClient((client, request, handler) =>
      client.start(request, wrapHandler(handler, { data: (bytes) => handler.data(blownUp(bytes)) })),
    ),
  },
  'more let in than there is room': {
    breaks: ['only so many run at once'],
    plant: onBudgets((budget) => (budget.unit === 'concurrent' ? { ...budget, id: 'another', limit: 64 } : budget)),
  },
  'limits misread': {
    breaks: ['a budget refuses only what it cannot afford', 'a refusal names its budget'],
    plant: onBudgets((budget) => ({ ...budget, limit: Math.ceil(budget.limit / 1_000) })),
  },
  'refusal that names nothing': {
    breaks: ['a refusal names its budget'],
    plant: onReply((reply) => ({ end: (bytes) => reply.end(nameless(bytes)) })),
  },
  'refusal told as a failure': {
    breaks: ['a refusal is on record'],
    plant: onEvents((events) => ({
      append: (entries) =>
        events.append(
          entries.map((entry) => (entry.body['outcome'] === 'refused' ? retold(entry, { outcome: 'failed' }) : entry)),
        ),
    })),
  },
  'refusal charged': {
    breaks: ['nothing is charged that nobody used'],
    plant: onEvents((events) => ({
      append: (entries) =>
        events.append(
          entries.map((entry) =>
            entry.body['outcome'] === 'refused' ? retold(entry, { charges: [FOR_NOTHING] }) : entry,
          ),
        ),
    })),
  },
}

const FOR_NOTHING = { deployment: 'gamma/spare', usage: { ...NO_USAGE }, costNanoUsd: '0', priceVersion: 'config' }

const isAccount = (change: Change): change is Change & { op: 'put' } =>
  change.op === 'put' && change.table === ACCOUNTS.name

/** What a new life reads of the record of one epoch. */
const isEvidence = ({ name }: { readonly name: string }, { prefix }: Range): boolean =>
  name === 'ledger.holds' && prefix?.length === 2

function onRows(change: (rows: Rows) => Partial<Rows>): () => Plant {
  return () => ({ rows: (rows) => ({ ...rows, ...change(rows) }) })
}

function onAccounts(change: (row: AccountRow) => AccountRow): () => Plant {
  return onRows((rows) => ({
    commit: (changes) =>
      rows.commit(changes.map((one) => (isAccount(one) ? { ...one, row: change(one.row as AccountRow) } : one))),
  }))
}

function onBudgets(change: (budget: Budget) => Budget): () => Plant {
  return () => ({
    budgets: ({ budgets, rateLimits, spentStatus }) => ({
      budgets: budgets.map(change),
      rateLimits: rateLimits.map(change),
      spentStatus,
    }),
  })
}

const mapped = <Value>(
  record: Readonly<Record<string, Value>>,
  change: (value: Value) => Value,
): Record<string, Value> => Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]))

const textOf = (body: string | Uint8Array | undefined): string =>
  typeof body === 'string' ? body : new TextDecoder().decode(body)

const uncapped = ({ body }: ClientRequest): string => textOf(body).replace(/"max_tokens":\d+/, '"max_tokens":50000000')

const blownUp = (bytes: Uint8Array): Uint8Array =>
  Buffer.from(
    Buffer.from(bytes)
      .toString('latin1')
      .replace(/"completion_tokens":(\d+)/, '"completion_tokens":$1000000'),
    'latin1',
  )

function nameless(bytes: string | Uint8Array | undefined): string | Uint8Array | undefined {
  if (typeof bytes !== 'string' || !bytes.startsWith('{')) return bytes
  const body: unknown = JSON.parse(bytes)
  const error = isObject(body) ? body['error'] : undefined
  return isObject(error) ? JSON.stringify({ error: { ...error, message: 'No.', budget: undefined } }) : bytes
}
