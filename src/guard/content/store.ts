import type { Clock } from '../../base/clock.ts'
import { fault } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import type { Json } from '../../base/json.ts'
import type { Random } from '../../base/random.ts'
import type { SubjectKeys } from '../../store/subject-keys.ts'
import { type Change, put, remove, type Rows, SCAN_MAX, scanAll, table } from '../../store/rows.ts'
import type { CapturedContent, Subject } from './capture.ts'
import { CONTENT_KEY_BYTES, MasterKey, seal, unseal } from './seal.ts'

/** Inputs and outputs at rest: encrypted with a key of their subject, which is kept apart and wrapped by the
 *  master key. Without a subject's key its texts are noise, wherever copies of them lie: that is what erasing
 *  rests on (NIST SP 800-88, cryptographic erase). */

export interface ContentStoreDependencies {
  readonly rows: Rows
  readonly keys: SubjectKeys
  /** `CONTENT_KEY_BYTES`. */
  readonly master: Uint8Array
  readonly clock: Clock
  readonly random: Random
  /** Takes out of a text, JSON, what is not to be kept. */
  readonly redact: (text: string) => Promise<string>
  /** Takes what was removed out of the files of the rows; false: not yet. */
  readonly scrub: () => Promise<boolean>
}

interface ContentRow {
  readonly subject: string
  readonly owner: string
  readonly atMs: number
  readonly expiresAtMs: number
  readonly keep: 'redacted' | 'full'
  readonly tenant: string
  readonly key: string
  readonly model: string
  readonly workflow: string
  /** Base64. */
  readonly sealed: string
}

const CONTENT = table<ContentRow>('content')
/** By subject, tenant, trace and request. */
const BY_SUBJECT = table<{ readonly expires: string }>('content_subject')
/** By day of expiry, trace and request. */
const EXPIRY = table<{ readonly subject: string; readonly owner: string }>('content_expiry')
/** What was erased, so that what was on its way then is not kept after all. */
const ERASED = table<{ readonly atMs: number }>('content_erased')
const PROOF = table<{ readonly sealed: string }>('content_proof')
const PROOF_TEXT = 'headworks'

/** In place of one tenant. */
const ALL = '*'
const DAY_MS = 86_400_000
/** How long what was on its way may still arrive. */
const ERASED_KEPT_MS = DAY_MS
/** Keys of subjects that are kept in memory. */
const KEYS_KEPT_MAX = 1_000

export interface KeptContent extends Pick<ContentRow, 'tenant' | 'key' | 'model' | 'workflow' | 'keep'> {
  readonly requestId: string
  readonly traceId: string
  readonly at: string
  readonly expiresAt: string
  /** `{input, output}`; undefined where its key was destroyed, or the row was tampered with. */
  readonly value: Json | undefined
}

export interface ErasureReceipt {
  readonly id: string
  readonly at: string
  readonly keysDestroyed: number
  readonly texts: number
  /** The files hold no byte of the ciphertext either. False: some do until the store writes over them. */
  readonly scrubbed: boolean
}

export class ContentStore {
  readonly #dependencies: ContentStoreDependencies
  readonly #master: MasterKey
  readonly #known = new Map<string, Uint8Array>()
  /** Writes and erasures take turns. */
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(dependencies: ContentStoreDependencies) {
    this.#dependencies = dependencies
    this.#master = new MasterKey(dependencies.master)
  }

  /** Rejects with a `Fault` (`content_key_wrong`) where texts were kept under another master key. */
  static async open(dependencies: ContentStoreDependencies): Promise<ContentStore> {
    const store = new ContentStore(dependencies)
    const { rows, random } = dependencies
    const proof = await rows.get(PROOF, ['proof'])
    if (proof === undefined) {
      const sealed = store.#master.wrap(Buffer.from(PROOF_TEXT), 'proof', random).toString('base64')
      await rows.commit([put(PROOF, ['proof'], { sealed })])
    } else if (store.#master.unwrap(Buffer.from(proof.row.sealed, 'base64'), 'proof')?.toString() !== PROOF_TEXT)
      throw fault('content_key_wrong', {})
    return store
  }

  /** All or none, durable when resolved. What was on its way when its subject was erased is left out. */
  write(contents: readonly CapturedContent[]): Promise<void> {
    return this.#inTurn(async () => {
      const changes: Change[] = []
      for (const content of contents) {
        const [subject, owner] = this.#namesOf(content.subject, content.tenant)
        if (await this.#isErased(subject, owner, content.atMs)) continue
        changes.push(...(await this.#changesOf(content, subject, owner)))
      }
      if (changes.length > 0) await this.#dependencies.rows.commit(changes)
    })
  }

  /** What is kept of a trace, by its time; of more than a thousand requests the first by their ids. */
  async read(traceId: string): Promise<KeptContent[]> {
    const stored = await this.#dependencies.rows.scan(CONTENT, { prefix: [traceId], limit: READ_MAX })
    const nowMs = this.#dependencies.clock.wallMs()
    const kept: KeptContent[] = []
    for (const { key, row } of stored) {
      if (row.expiresAtMs <= nowMs) continue
      const [trace = '', request = ''] = key
      const { tenant, key: by, model, workflow, keep } = row
      kept.push({
        traceId: trace,
        requestId: request,
        tenant,
        key: by,
        model,
        workflow,
        keep,
        at: new Date(row.atMs).toISOString(),
        expiresAt: new Date(row.expiresAtMs).toISOString(),
        value: await this.#open(row, trace, request),
      })
    }
    return kept.sort((a, b) => (a.at < b.at ? -1 : 1))
  }

  /** Destroys the keys, then the texts. `tenant` undefined: of every tenant. Asked again, it finishes what a
   *  crash left. */
  erase(who: Subject, tenant: string | undefined): Promise<ErasureReceipt> {
    return this.#inTurn(async () => {
      const { rows, keys, clock, random } = this.#dependencies
      const atMs = clock.wallMs()
      const [subject, owner] = this.#namesOf(who, tenant ?? '')
      // Before anything is destroyed, so that nothing on its way makes a new key.
      await rows.commit([put(ERASED, [subject, tenant === undefined ? ALL : owner], { atMs })])
      let keysDestroyed = 0
      for (const name of await keys.list(tenant === undefined ? `${subject}.` : keyName(subject, owner))) {
        this.#known.get(name)?.fill(0)
        this.#known.delete(name)
        if (await keys.destroy(name)) keysDestroyed++
      }
      const texts = await this.#removeAll(tenant === undefined ? [subject] : [subject, owner])
      const scrubbed = await this.#dependencies.scrub()
      return { id: newId('era', clock, random), at: new Date(atMs).toISOString(), keysDestroyed, texts, scrubbed }
    })
  }

  /** Removes what has been kept long enough; returns how much. */
  expire(): Promise<number> {
    return this.#inTurn(async () => {
      const { rows, clock } = this.#dependencies
      const nowMs = clock.wallMs()
      const today = dayOf(nowMs)
      let removed = 0
      for (;;) {
        const due = (await rows.scan(EXPIRY, { limit: SCAN_MAX })).filter(({ key: [day = ''] }) => day < today)
        if (due.length === 0) break
        await rows.commit(
          due.flatMap(({ key, row }) => {
            const [, trace = '', request = ''] = key
            return changesToRemove(row.subject, row.owner, trace, request, key[0] ?? '')
          }),
        )
        removed += due.length
      }
      const old: Change[] = []
      for await (const { key, row } of scanAll(rows, ERASED))
        if (row.atMs + ERASED_KEPT_MS < nowMs) old.push(remove(ERASED, key))
      if (old.length > 0) await rows.commit(old.slice(0, SCAN_MAX))
      return removed
    })
  }

  async #removeAll(prefix: readonly string[]): Promise<number> {
    const { rows } = this.#dependencies
    let removed = 0
    for (;;) {
      const page = await rows.scan(BY_SUBJECT, { prefix, limit: SCAN_MAX })
      if (page.length === 0) return removed
      await rows.commit(
        page.flatMap(({ key, row }) => {
          const [subject = '', owner = '', trace = '', request = ''] = key
          return changesToRemove(subject, owner, trace, request, row.expires)
        }),
      )
      removed += page.length
    }
  }

  async #isErased(subject: string, owner: string, atMs: number): Promise<boolean> {
    const found = await this.#dependencies.rows.getMany(ERASED, [
      [subject, owner],
      [subject, ALL],
    ])
    return found.some((one) => one !== undefined && one.row.atMs >= atMs)
  }

  async #changesOf(content: CapturedContent, subject: string, owner: string): Promise<Change[]> {
    const { random, redact } = this.#dependencies
    const { traceId, requestId, atMs, days, keep, tenant, key, model, workflow } = content
    const text = keep === 'full' ? content.text : await redact(content.text)
    const name = keyName(subject, owner)
    const dataKey = (await this.#keyOf(name)) ?? (await this.#makeKey(name))
    this.#remember(name, dataKey)
    const sealed = seal(dataKey, Buffer.from(text), placeOf(traceId, requestId), random).toString('base64')
    const expiresAtMs = atMs + days * DAY_MS
    const expires = dayOf(expiresAtMs)
    const row: ContentRow = { subject, owner, atMs, expiresAtMs, keep, tenant, key, model, workflow, sealed }
    return [
      put(CONTENT, [traceId, requestId], row),
      put(BY_SUBJECT, [subject, owner, traceId, requestId], { expires }),
      put(EXPIRY, [expires, traceId, requestId], { subject, owner }),
    ]
  }

  async #open(row: ContentRow, traceId: string, requestId: string): Promise<Json | undefined> {
    const key = await this.#keyOf(keyName(row.subject, row.owner))
    const plain = key && unseal(key, Buffer.from(row.sealed, 'base64'), placeOf(traceId, requestId))
    return plain && (JSON.parse(plain.toString()) as Json)
  }

  #namesOf({ kind, id }: Subject, tenant: string): [subject: string, owner: string] {
    return [this.#master.nameOf(JSON.stringify(['subject', kind, id])), this.#master.nameOf(`tenant ${tenant}`)]
  }

  async #keyOf(name: string): Promise<Uint8Array | undefined> {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const wrapped = await this.#dependencies.keys.read(name)
    return wrapped && this.#master.unwrap(wrapped, name)
  }

  async #makeKey(name: string): Promise<Uint8Array> {
    const { keys, random } = this.#dependencies
    const key = random.bytes(CONTENT_KEY_BYTES)
    await keys.write(name, this.#master.wrap(key, name, random))
    return key
  }

  /** Only of what is written, in turn with erasures: a reader could put back what one has just forgotten. */
  #remember(name: string, key: Uint8Array): void {
    if (this.#known.has(name)) return
    for (const [oldest] of this.#known) {
      if (this.#known.size < KEYS_KEPT_MAX) break
      this.#known.delete(oldest)
    }
    this.#known.set(name, key)
  }

  #inTurn<Value>(run: () => Promise<Value>): Promise<Value> {
    const turn = this.#turn.then(run)
    this.#turn = turn.catch(() => {})
    return turn
  }
}

/** Requests of one trace that are read. */
const READ_MAX = 1_000

const keyName = (subject: string, owner: string): string => `${subject}.${owner}`
const placeOf = (traceId: string, requestId: string): string => `${traceId}/${requestId}`
const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

const changesToRemove = (
  subject: string,
  owner: string,
  trace: string,
  request: string,
  expires: string,
): readonly Change[] => [
  remove(CONTENT, [trace, request]),
  remove(EXPIRY, [expires, trace, request]),
  remove(BY_SUBJECT, [subject, owner, trace, request]),
]
