/** The attack on retrieval with the real program: documents are pushed, replaced, deleted and asked for
 *  all the time, while the whole house is killed again and again, and its search, ingest and build
 *  processes in between. After every restart everything acknowledged must be there, once. Run by
 *  hand: `npm run drill:retrieval -- --kills 100`. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { percentilesOf } from '../../bench/harness.ts'
import { type Random, seededRandom, uniform } from '../../src/base/random.ts'
import { startHashedEmbeddings } from '../kit/hashed-embeddings.ts'
import { type RunningHouse, startHouse } from '../kit/house.ts'
import { type Answer, call, type Flaw, FLAWS, prove, search } from './pushed-proof.ts'
import { acknowledge, begin, giveUp, type Pushed, PushedDocuments } from './pushed.ts'

export interface DrillOptions {
  /** Of the whole house. */
  readonly kills: number
  /** Documents of each of the three collections, at most. */
  readonly documents: number
  readonly seed: number
  readonly onProgress?: (line: string) => void
}

export interface DrillResult {
  readonly kills: number
  /** Of one of its processes alone, while the others went on. */
  readonly childKills: number
  readonly acknowledged: { readonly kept: number; readonly deleted: number }
  readonly refused: number
  /** Broken off before an answer. */
  readonly unanswered: number
  readonly searches: number
  /** Searches of what was acknowledged before they began, and did not change meanwhile. */
  readonly checkedSearches: number
  readonly flaws: readonly Flaw[]
  /** From the start of the process to the first request taken. */
  readonly restartsMs: readonly number[]
  /** There at the end. */
  readonly documents: number
  readonly seconds: number
}

const DIMENSION = 64
const EMBEDDED = ['one', 'two'] as const
/** The third is searched by words and by directions fitted on its own texts. */
const COLLECTIONS = [...EMBEDDED, 'three']
const PUSHED_MAX = 24
const ASKERS = 2
const LIFE_MS = 1_500
const UNTIL_KEPT_MS_MAX = 20_000
const EARLY_SHARE = 0.15
const PAUSE_MS = 30
const CHILD_ROLES = ['search', 'ingest']
const CHILD_KILL_SHARE = 0.7

export async function drill({ kills, documents, seed, onProgress = () => {} }: DrillOptions): Promise<DrillResult> {
  const random = seededRandom(seed)
  const engine = await startHashedEmbeddings(DIMENSION)
  const config = configured(engine.url)
  const pushed = new PushedDocuments(COLLECTIONS, documents, random)
  const flaws: Flaw[] = []
  let told = 0
  const restartsMs: number[] = []
  const count: Counts = {
    kept: 0,
    deleted: 0,
    refused: 0,
    unanswered: 0,
    searches: 0,
    checkedSearches: 0,
    childKills: 0,
  }
  const began = performance.now()
  let house = await startHouse({ untilRead: false, config })
  try {
    for (let killed = 0; killed < kills;) {
      const client = new Client(house, pushed, random, count, flaws)
      const working = client.work()
      await harass(house, random, count)
      const children = uniform(random) < 0.5 ? childrenOf(house) : []
      const dying = house.kill()
      for (const { pid } of children) kill(pid)
      await dying
      client.stop()
      await working
      killed++
      const startedMs = performance.now()
      house = await startHouse({ folder: house.folder, untilRead: false, config })
      restartsMs.push(performance.now() - startedMs)
      flaws.push(...(await prove(house, pushed, COLLECTIONS, new Set(EMBEDDED))))
      for (const { kind, what } of flaws.slice(told)) onProgress(`${kind}: ${what}\n`)
      told = flaws.length
      onProgress(`${killed} killed, ${count.kept} kept, ${count.deleted} deleted, ${flaws.length} flaws`)
    }
    const { kept, deleted, ...counts } = count
    return {
      kills,
      ...counts,
      acknowledged: { kept, deleted },
      flaws,
      restartsMs,
      documents: pushed.all.filter(({ held }) => held !== undefined).length,
      seconds: (performance.now() - began) / 1000,
    }
  } finally {
    await house.stop()
    await engine.stop()
  }
}

const configured = (url: string) => ({
  engines: { hashed: { kind: 'openai', url } },
  models: { hashed: { deployments: [{ engine: 'hashed', model: 'hashed' }] } },
  collections: { ...Object.fromEntries(EMBEDDED.map((name) => [name, { embedding: 'hashed' }])), three: {} },
  ingest: { pushWaitMs: 20 },
  log: { level: 'error' },
})

interface Counts {
  kept: number
  deleted: number
  refused: number
  unanswered: number
  searches: number
  checkedSearches: number
  childKills: number
}

/** Lets it live a while, and kills some of its processes meanwhile. */
async function harass(house: RunningHouse, random: Random, count: Counts): Promise<void> {
  const lifeMs = LIFE_MS * 2 * uniform(random)
  const part = uniform(random)
  // On a busy machine it is long until anything is acknowledged; some die before.
  const { kept } = count
  const untilKeptMs = uniform(random) < EARLY_SHARE ? 0 : UNTIL_KEPT_MS_MAX
  for (let waited = 0; count.kept === kept && waited < untilKeptMs; waited += PAUSE_MS) await sleep(PAUSE_MS)
  await sleep(lifeMs * part)
  if (uniform(random) < CHILD_KILL_SHARE) {
    const children = childrenOf(house)
    const child = children[Math.floor(uniform(random) * children.length)]
    if (child !== undefined && kill(child.pid)) count.childKills++
  }
  await sleep(lifeMs * (1 - part))
}

/** Its processes that search, read and build; none where the system does not tell. */
function childrenOf({ pid }: RunningHouse): { readonly pid: number; readonly role: string }[] {
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return ''
    }
  }
  return read(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter((child) => child !== '')
    .map((child) => ({ pid: Number(child), role: /--role\0(\w+)/.exec(read(`/proc/${child}/cmdline`))?.[1] ?? '' }))
    .filter(({ role }) => CHILD_ROLES.includes(role))
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false // It ended by itself.
  }
}

/** Pushes to every collection, deletes, and asks, until stopped. */
class Client {
  readonly #house: RunningHouse
  readonly #pushed: PushedDocuments
  readonly #random: Random
  readonly #count: Counts
  readonly #flaws: Flaw[]
  #isStopped = false

  constructor(house: RunningHouse, pushed: PushedDocuments, random: Random, count: Counts, flaws: Flaw[]) {
    this.#house = house
    this.#pushed = pushed
    this.#random = random
    this.#count = count
    this.#flaws = flaws
  }

  async work(): Promise<void> {
    const askers = Array.from({ length: ASKERS }, () => this.#asking())
    await Promise.all([...COLLECTIONS.map((collection) => this.#changing(collection)), ...askers])
  }

  stop(): void {
    this.#isStopped = true
  }

  async #changing(collection: string): Promise<void> {
    while (!this.#isStopped) {
      const chance = uniform(this.#random)
      await Promise.all([chance < 0.9 && this.#push(collection), chance > 0.5 && this.#delete(collection)])
      await sleep(PAUSE_MS * uniform(this.#random))
    }
  }

  async #push(collection: string): Promise<void> {
    const chosen = this.#pushed.idle(collection, 1 + Math.floor(uniform(this.#random) * PUSHED_MAX), () => true)
    const versions = chosen.map(() => this.#pushed.version())
    if (chosen.length === 0) return
    for (const [at, one] of chosen.entries()) begin(one, versions[at])
    const lines = chosen.map(({ id }, at) => JSON.stringify({ id, text: versions[at]?.text }))
    const answer = await call(this.#house, `/api/collections/${collection}/documents`, 'POST', lines.join('\n'))
    const results = (answer.body['results'] ?? []) as readonly { readonly status: string }[]
    for (const [at, one] of chosen.entries()) {
      if (answer.status === 200 && results[at]?.status === 'kept') {
        acknowledge(one, versions[at])
        this.#count.kept++
      } else this.#failed(one, answer)
    }
  }

  async #delete(collection: string): Promise<void> {
    const [one] = this.#pushed.idle(collection, 1, ({ held, open }) => held !== undefined && open.length === 0)
    if (one === undefined) return
    begin(one, undefined)
    const answer = await call(this.#house, `/api/collections/${collection}/documents/${one.id}`, 'DELETE')
    if (answer.status !== 200) return this.#failed(one, answer)
    acknowledge(one, undefined)
    this.#count.deleted++
  }

  #failed(one: Pushed, { status }: Answer): void {
    giveUp(one, status === 429)
    if (status === 0) this.#count.unanswered++
    else this.#count.refused++
  }

  /** What was acknowledged is searchable at once, and what was deleted is not. */
  async #asking(): Promise<void> {
    while (!this.#isStopped) {
      const one = this.#pushed.all[Math.floor(uniform(this.#random) * this.#pushed.all.length)]
      const version = one?.held ?? one?.former
      if (one === undefined || version === undefined) {
        await sleep(PAUSE_MS)
        continue
      }
      const { collection, id, changes, held } = one
      const isSettled = one.open.length === 0
      const found = await search(this.#house, collection, version.word, { k: 5, mode: 'hybrid' })
      this.#count.searches++
      if (found === undefined) await sleep(PAUSE_MS * uniform(this.#random))
      if (found === undefined || !isSettled || one.changes !== changes) continue
      this.#count.checkedSearches++
      const isFound = found.some(({ text }) => text.includes(` ${version.word} `))
      if (isFound === (held !== undefined)) continue
      this.#flaws.push({
        kind: isFound ? 'resurrected' : 'unfound',
        what: `${collection}/${id} is ${isFound ? 'still' : 'not'} found by ${version.word} while others are pushed`,
      })
    }
  }
}

if (import.meta.main) {
  const option = (name: string, fallback: number): number => {
    const at = process.argv.indexOf(`--${name}`)
    return at < 0 ? fallback : Number(process.argv[at + 1])
  }
  const result = await drill({
    kills: option('kills', 100),
    documents: option('documents', 250),
    seed: option('seed', 1),
    onProgress: (line) => void process.stderr.write(`\r\x1b[K${line}`),
  })
  process.stderr.write('\n')
  process.stdout.write(`${report(result)}\n`)
  process.exitCode = result.flaws.length > 0 ? 1 : 0
}

function report({ acknowledged, flaws, restartsMs, ...rest }: DrillResult): string {
  const { n, p50, p95, p99 } = percentilesOf(restartsMs)
  const [ready50, ready95, ready99] = [p50, p95, p99].map((ms) => `${(ms / 1000).toFixed(2)} s`)
  const flawsOf = (kind: Flaw['kind']): string => `${flaws.filter((flaw) => flaw.kind === kind).length} ${kind}`
  return [
    `${rest.kills} times the whole house was killed, ${rest.childKills} times one of its processes; ${rest.seconds.toFixed(0)} s`,
    `acknowledged: ${acknowledged.kept} documents kept, ${acknowledged.deleted} deleted; ${rest.refused} refused, ${rest.unanswered} without an answer; ${rest.documents} there at the end`,
    `${FLAWS.map(flawsOf).join(', ')}; ${rest.checkedSearches} of ${rest.searches} searches between kills could be checked`,
    `from the start to the first request taken: p50 ${ready50}, p95 ${ready95}, p99 ${ready99} (n = ${n})`,
  ].join('\n')
}
