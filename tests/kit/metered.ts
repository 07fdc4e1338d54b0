import { hash } from 'node:crypto'
import type { Handler } from '../../src/base/http.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { seededRandom } from '../../src/base/random.ts'
import { alertRoutes } from '../../src/control/alerts.ts'
import { auditRoutes } from '../../src/control/audit.ts'
import { budgetRoutes } from '../../src/control/budgets.ts'
import { burnDownRoutes } from '../../src/control/burn-down.ts'
import { keyRoutes } from '../../src/control/keys.ts'
import { promptRoutes } from '../../src/control/prompts.ts'
import { controlPlane } from '../../src/control/router.ts'
import { sessionRoutes } from '../../src/control/session.ts'
import { usageRoutes } from '../../src/control/usage.ts'
import { MemoryEvents } from '../../src/drivers/memory/events.ts'
import { parquetOf } from '../../src/drivers/parquet/columns.ts'
import { Audit } from '../../src/guard/audit.ts'
import { authenticate } from '../../src/guard/authenticate.ts'
import { Keyring } from '../../src/guard/keyring.ts'
import { Pepper, PEPPER_BYTES } from '../../src/guard/secret.ts'
import { Sessions } from '../../src/guard/sessions.ts'
import { Alerts } from '../../src/meter/alerts/alerts.ts'
import { accountKey } from '../../src/meter/ledger/account.ts'
import { ACCOUNTS, type AccountRow } from '../../src/meter/ledger/account-row.ts'
import { bucketAt, periodAt } from '../../src/meter/ledger/window.ts'
import { UsageBook } from '../../src/meter/usage-book.ts'
import { Prompts } from '../../src/prompt/prompts.ts'
import { put } from '../../src/store/rows.ts'
import { accountingOf } from './accounting.ts'
import { ManualClock, settled } from './clock.ts'
import { RecordedReply, request } from './exchange.ts'

const HOUR_MS = 3_600_000

/** The control plane for whatever counts and costs, over stores in memory: what it says of use that
 *  was written there, at a time that stands still. */
export async function meteredHouse(yaml: string, nowMs = Date.UTC(2026, 10, 18, 14, 30)) {
  const clock = new ManualClock(nowMs)
  const random = seededRandom(11)
  const { accounting, rows } = await accountingOf(clock, yaml)
  const events = new MemoryEvents()
  const keyring = await Keyring.open({ rows, clock, random, pepper: new Pepper(new Uint8Array(PEPPER_BYTES)) })
  const sessions = new Sessions(clock, random)
  const audit = new Audit({ events, clock, random })
  const alerts = new Alerts({ clock, random, rows })
  const book = new UsageBook({ clock, rows, events })
  const admin = (await keyring.create('ops', 'admin')).text
  const handle: Handler = controlPlane({
    routes: [
      ...keyRoutes({ keyring, sessions, audit, nowMs: () => clock.wallMs() }),
      ...sessionRoutes({ keyring, sessions, consoleUrl: () => undefined }),
      ...budgetRoutes({ accounting, rows, audit, clock, random }),
      ...burnDownRoutes({ accounting, rows, clock, book }),
      ...auditRoutes(audit),
      ...promptRoutes({ prompts: new Prompts({ rows, clock }), audit, isProtected: (label) => label === 'production' }),
      ...usageRoutes({ clock, book, parquet: parquetOf }),
      ...alertRoutes(alerts, { status: async () => [] }),
    ],
    authenticate: (asked) => authenticate(asked, keyring, sessions),
    newRequestId: () => 'req_1',
  })
  let written = 0

  return {
    clock,
    rows,
    keyring,
    accounting,
    alerts,
    admin,
    handle,
    /** Writes requests that have ended. */
    async used(...bodies: readonly (JsonObject & { readonly hoursAgo: number })[]): Promise<void> {
      await events.append(
        bodies.map(({ hoursAgo, ...body }) => ({
          id: `req_${(++written).toString().padStart(8, '0')}`,
          phase: 'close' as const,
          kind: 'request',
          atMs: clock.wallMs() - hoursAgo * HOUR_MS,
          body: { operation: 'chat', key: 'k', model: 'chat', outcome: 'answered', totalMs: 40, ...body },
        })),
      )
    },
    /** Writes the account of the period that runs. */
    async stand(budget: string, subject: string, posted: number, leased = 0): Promise<void> {
      const { budgets, rateLimits } = accounting.declared
      const found = [...budgets, ...rateLimits].find(({ id }) => id === budget)
      if (found === undefined) throw new Error(`no budget ${budget}`)
      const { window } = found
      const bucket = window.kind === 'rolling' ? bucketAt(window.durationMs, clock.wallMs()) : 0
      const lease = { epoch: 1, term: 1, sequence: 1, amount: leased, posted, wants: 0, askedAtMs: 0, firmAtMs: 0 }
      const row: AccountRow = { posted: [[bucket, posted]], leases: leased === 0 ? {} : { 'gateway-0': lease } }
      const key = accountKey(found, subject, periodAt(window, clock.wallMs()))
      if (!(await rows.commit([put(ACCOUNTS, key, row)]))) throw new Error('the account was not written')
    },
    async call(method: string, target: string, body: unknown = '', key: string = admin): Promise<RecordedReply> {
      const reply = new RecordedReply()
      handle(request(method, target, body, { authorization: `Bearer ${key}` }), reply)
      for (let turn = 0; turn < 1000 && !reply.ended && !reply.aborted; turn++) await settled()
      return reply
    },
  }
}

export type MeteredHouse = Awaited<ReturnType<typeof meteredHouse>>

/** A number from 0 to 1 that hangs on its name alone. */
export const chance = (name: string): number => hash('sha256', name, 'buffer').readUInt32BE() / 2 ** 32
