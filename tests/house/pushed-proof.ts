/** Asks a house for everything a client was promised. */
import { ADMIN_KEY, type RunningHouse } from '../kit/house.ts'
import type { Pushed, PushedDocuments } from './pushed.ts'

export const FLAWS = ['lost', 'resurrected', 'twice', 'unfound', 'miscounted'] as const

export interface Flaw {
  readonly kind: (typeof FLAWS)[number]
  readonly what: string
}

/** Words of one question: the engine ranks what has a word that nothing else has first. */
const WORDS_AT_ONCE = 20
const ASKED_AT_ONCE = 4
const PAGE = 500
const DAMAGE_POLLS = 100
const POLL_MS = 50
/** A connection for each request: one that is kept may be to a process that is dead by now. */
const HEADERS = { authorization: `Bearer ${ADMIN_KEY}`, connection: 'close' }

export interface Answer {
  readonly status: number
  readonly body: { readonly [name: string]: unknown }
}

/** Status 0: there was no answer. */
export async function call(house: RunningHouse, path: string, method = 'GET', body?: object | string): Promise<Answer> {
  try {
    const answer = await fetch(house.url + path, {
      method,
      headers: { ...HEADERS, 'content-type': typeof body === 'string' ? 'application/x-ndjson' : 'application/json' },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return { status: answer.status, body: (await answer.json()) as Answer['body'] }
  } catch {
    return { status: 0, body: {} }
  }
}

export interface Found {
  readonly document: string
  readonly text: string
}

/** Undefined where the search was refused, or broke off. */
export async function search(
  house: RunningHouse,
  collection: string,
  query: string,
  options: { readonly k: number; readonly mode: 'words' | 'vector' | 'hybrid' },
): Promise<readonly Found[] | undefined> {
  const { status, body } = await call(house, `/api/collections/${collection}/search`, 'POST', { query, ...options })
  return status === 200 ? (body['passages'] as readonly Found[]) : undefined
}

/** Nobody changes anything meanwhile. What was never answered is settled by what is there.
 *  `vectors` names the collections in which a document lies where its word does. */
export async function prove(
  house: RunningHouse,
  pushed: PushedDocuments,
  collections: readonly string[],
  vectors: ReadonlySet<string>,
): Promise<Flaw[]> {
  const flaws: Flaw[] = []
  for (const collection of collections) {
    const documents = pushed.of(collection)
    flaws.push(...(await listed(house, collection, documents)))
    flaws.push(...(await byWords(house, collection, documents)))
    if (vectors.has(collection)) flaws.push(...(await byVector(house, collection, documents)))
  }
  return [...flaws, ...(await damage(house))]
}

interface Listed {
  readonly id: string
  readonly contentHash: string
  readonly chunks: number
}

async function listed(house: RunningHouse, collection: string, documents: readonly Pushed[]): Promise<Flaw[]> {
  const flaws: Flaw[] = []
  const there = new Map<string, Listed>()
  const path = `/api/collections/${collection}`
  for (let after: unknown = ''; after !== null;) {
    const { status, body } = await call(
      house,
      `${path}/documents?limit=${PAGE}${after === '' ? '' : `&after=${String(after)}`}`,
    )
    if (status === 404) break
    if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`)
    for (const one of body['documents'] as Listed[]) {
      if (there.has(one.id)) flaws.push({ kind: 'twice', what: `${collection}/${one.id} is listed twice` })
      there.set(one.id, one)
    }
    after = body['next']
  }
  const { status, body: counts } = await call(house, path)
  const chunks = there.values().reduce((sum, one) => sum + one.chunks, 0)
  if (status === 200 && (counts['documents'] !== there.size || counts['chunks'] !== chunks)) {
    const what = `${collection} counts ${String(counts['documents'])} documents, ${String(counts['chunks'])} chunks, and lists ${there.size}, ${chunks}`
    flaws.push({ kind: 'miscounted', what })
  }
  for (const one of documents) flaws.push(...settle(one, there.get(one.id)))
  return flaws
}

/** What is there must be what was acknowledged, or what was asked for since and never answered. */
function settle(one: Pushed, there: Listed | undefined): Flaw[] {
  const allowed = [one.held, ...one.open]
  const match = allowed.findLast((version) => version?.contentHash === there?.contentHash)
  const isAllowed = match !== undefined || (there === undefined && allowed.includes(undefined))
  const { held } = one
  if (isAllowed && match !== held) {
    one.former = held ?? one.former
    one.held = match
  }
  one.open = []
  one.isBusy = false
  one.changes++
  if (isAllowed) return []
  const what = `${one.collection}/${one.id} ${there === undefined ? 'is gone' : `has the content ${there.contentHash}`}`
  return [{ kind: held === undefined ? 'resurrected' : 'lost', what }]
}

async function byWords(house: RunningHouse, collection: string, documents: readonly Pushed[]): Promise<Flaw[]> {
  const present = documents.flatMap(({ id, held }) => (held === undefined ? [] : [{ id, word: held.word }]))
  const gone = documents.flatMap(({ id, former }) => (former === undefined ? [] : [{ id, word: former.word }]))
  const flaws: Flaw[] = []
  const ask = async (words: readonly { readonly id: string; readonly word: string }[], areThere: boolean) => {
    const query = words.map(({ word }) => word).join(' ')
    const found = await search(house, collection, query, { k: 5 * WORDS_AT_ONCE, mode: 'words' })
    if (found === undefined) throw new Error(`a search in ${collection} was refused\n${house.said()}`)
    for (const { id, word } of words) {
      const with_ = found.filter(({ text }) => text.includes(` ${word} `))
      const what = `${collection}/${id} is found ${with_.length} times by its word ${word}`
      if (areThere && (with_.length === 0 || with_.some(({ document }) => document !== id)))
        flaws.push({ kind: 'unfound', what })
      else if (areThere && with_.length > 1) flaws.push({ kind: 'twice', what })
      else if (!areThere && with_.length > 0) flaws.push({ kind: 'resurrected', what })
    }
  }
  await sideBySide(groupsOf(present, WORDS_AT_ONCE), (words) => ask(words, true))
  await sideBySide(groupsOf(gone, WORDS_AT_ONCE), (words) => ask(words, false))
  return flaws
}

/** The nearest to its word is the document itself; to the word of what is gone, another. */
async function byVector(house: RunningHouse, collection: string, documents: readonly Pushed[]): Promise<Flaw[]> {
  const flaws: Flaw[] = []
  const ask = async (id: string, word: string, isThere: boolean) => {
    const found = await search(house, collection, word, { k: 2, mode: 'vector' })
    if (found === undefined) throw new Error(`a search in ${collection} was refused\n${house.said()}`)
    const isFound = found[0]?.document === id && found[0].text.includes(` ${word} `)
    const what = `${collection}/${id} is ${isFound ? '' : 'not '}found by the vector of ${word}`
    if (isThere !== isFound) flaws.push({ kind: isThere ? 'unfound' : 'resurrected', what })
    if (isThere && found[1]?.text.includes(` ${word} `)) flaws.push({ kind: 'twice', what })
  }
  await sideBySide(documents, async ({ id, held, former }) => {
    if (held !== undefined) await ask(id, held.word, true)
    else if (former !== undefined) await ask(id, former.word, false)
  })
  return flaws
}

/** What the index answers from against what the rows count. Merges may still be going on. */
async function damage(house: RunningHouse): Promise<Flaw[]> {
  let found: readonly string[] = []
  for (let poll = 0; poll < DAMAGE_POLLS; poll++) {
    const { status, body } = await call(house, '/api/status')
    found = status === 200 ? (body['damage'] as readonly string[]) : [`no status: ${status}`]
    if (found.length === 0) return []
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  return found.map((what) => ({ kind: 'miscounted', what }))
}

function groupsOf<One>(list: readonly One[], size: number): One[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, at) => list.slice(at * size, (at + 1) * size))
}

async function sideBySide<One>(list: readonly One[], task: (one: One) => Promise<void>): Promise<void> {
  const rest = list.values()
  await Promise.all(
    Array.from({ length: ASKED_AT_ONCE }, async () => {
      for (const one of rest) await task(one)
    }),
  )
}
