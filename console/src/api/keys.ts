import { readWindow, UNITS, type Budget } from './budgets.ts'
import type { Fetch } from './chat.ts'
import { get, post, read, remove } from './exchange.ts'
import type { Result } from './problem.ts'
import { isRecord, listOf, numberOf, textOf, timeOf, type Json } from './shape.ts'

/** Keys, and the record of what administrators did. */

export interface KeyRow {
  readonly id: string
  readonly name: string
  readonly role: string
  /** How its text begins. */
  readonly hint: string
  readonly state: string
  readonly createdMs: number | undefined
  readonly expiresMs: number | undefined
  readonly graceUntilMs: number | undefined
  readonly revokedMs: number | undefined
  readonly bound: Bound
}

export interface Bound {
  readonly user: string | undefined
  readonly team: string | undefined
  readonly tenant: string | undefined
  readonly tags: readonly string[]
  /** Undefined: all. */
  readonly models: readonly string[] | undefined
  readonly workflows: readonly string[] | undefined
  /** Budgets that it carries wherever it is used. */
  readonly budgets: readonly Carried[]
  /** By what may be named: `accept`, `ignore` or `refuse`. */
  readonly mayName: { readonly [what: string]: string }
}

export type Carried = Pick<Budget, 'unit' | 'limit' | 'window'>

export interface Page<Item> {
  readonly items: readonly Item[]
  /** Leads to the next page. */
  readonly next: string | undefined
}

/** Its text is to be had this once. */
export interface NewKey {
  readonly id: string
  readonly name: string
  readonly text: string
}

/** What an administrator did. */
export interface Act {
  readonly id: string
  readonly atMs: number | undefined
  readonly action: string
  readonly object: string
  readonly by: string
  readonly outcome: string
  /** Everything else that was recorded of it. */
  readonly details: Json
}

export interface KeysApi {
  list(after?: string): Promise<Result<Page<KeyRow>>>
  create(wanted: object): Promise<Result<NewKey>>
  rotate(id: string, graceMs: number): Promise<Result<NewKey>>
  revoke(id: string): Promise<Result<unknown>>
  acts(before?: string): Promise<Result<Page<Act>>>
}

const ACTS_PAGE = 50

export function openKeys(fetch: Fetch): KeysApi {
  const path = (id: string) => `/api/keys/${encodeURIComponent(id)}`
  return {
    list: async (after) =>
      read(
        await get(fetch, `/api/keys?${new URLSearchParams(after === undefined ? {} : { after })}`),
        'list of keys',
        readKeys,
      ),
    create: async (wanted) => read(await post(fetch, '/api/keys', wanted), 'key', readNewKey),
    rotate: async (id, graceMs) => read(await post(fetch, `${path(id)}/rotate`, { graceMs }), 'key', readNewKey),
    revoke: async (id) => read(await remove(fetch, path(id)), 'answer', isRecord),
    acts: async (before) => {
      const query = new URLSearchParams({ limit: String(ACTS_PAGE), ...(before !== undefined && { before }) })
      return read(await get(fetch, `/api/audit?${query}`), 'record', readActs)
    },
  }
}

function readKeys(body: unknown): Page<KeyRow> | undefined {
  if (!isRecord(body) || !Array.isArray(body['keys'])) return undefined
  return { items: listOf(body['keys'], readKey), next: textOf(body['next']) }
}

function readKey(value: unknown): KeyRow | undefined {
  const id = isRecord(value) ? textOf(value['id']) : undefined
  if (!isRecord(value) || id === undefined) return undefined
  const names = (name: string): readonly string[] | undefined =>
    Array.isArray(value[name]) ? listOf(value[name], textOf) : undefined
  const mayName: Json = isRecord(value['mayName']) ? value['mayName'] : {}
  return {
    id,
    name: textOf(value['name']) ?? id,
    role: textOf(value['role']) ?? '',
    hint: textOf(value['hint']) ?? '',
    state: textOf(value['state']) ?? '',
    createdMs: timeOf(value['createdAt']),
    expiresMs: timeOf(value['expiresAt']),
    graceUntilMs: timeOf(value['graceUntil']),
    revokedMs: timeOf(value['revokedAt']),
    bound: {
      user: textOf(value['user']),
      team: textOf(value['team']),
      tenant: textOf(value['tenant']),
      tags: names('tags') ?? [],
      models: names('models'),
      workflows: names('workflows'),
      budgets: listOf(value['budgets'], readCarried),
      mayName: Object.fromEntries(
        Object.entries(mayName).flatMap(([what, naming]) => (typeof naming === 'string' ? [[what, naming]] : [])),
      ),
    },
  }
}

function readCarried(value: unknown): Carried | undefined {
  if (!isRecord(value)) return undefined
  const unit = UNITS.find((one) => one === value['unit'])
  const limit = numberOf(value['limit'])
  return unit === undefined || limit === undefined ? undefined : { unit, limit, window: readWindow(value['window']) }
}

function readNewKey(body: unknown): NewKey | undefined {
  if (!isRecord(body)) return undefined
  const id = textOf(body['id'])
  const text = textOf(body['key'])
  return id === undefined || text === undefined ? undefined : { id, text, name: textOf(body['name']) ?? id }
}

function readActs(body: unknown): Page<Act> | undefined {
  if (!isRecord(body) || !Array.isArray(body['acts'])) return undefined
  const items = listOf(body['acts'], (value): Act | undefined => {
    const id = isRecord(value) ? textOf(value['id']) : undefined
    if (!isRecord(value) || id === undefined) return undefined
    const { id: _, at, action, object, by, byName, outcome, ...details } = value
    return {
      id,
      atMs: timeOf(at) ?? numberOf(at),
      action: textOf(action) ?? '',
      object: textOf(object) ?? '',
      by: textOf(byName) ?? textOf(by) ?? '',
      outcome: textOf(outcome) ?? '',
      details,
    }
  })
  return { items, next: textOf(body['next']) }
}
