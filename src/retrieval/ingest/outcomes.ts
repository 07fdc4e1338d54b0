import type { Clock } from '../../base/clock.ts'
import type { Problem } from '../../base/errors.ts'
import { put, scanAll, type Change, type Rows } from '../../store/rows.ts'
import { documentKey, DOCUMENTS } from '../document.ts'
import { TENANT, tenantOf } from '../search/access.ts'
import { DEAD_LETTERS, type DeadLetterRow, type Letter, post, UNKNOWN_TENANT } from './dead-letters.ts'
import { hintOf, type Listed, type Listing } from './listing.ts'
import type { Progress } from './state.ts'

/** What reading came to besides documents: what was not kept and why, letters, new marks of what is
 *  there as it was. */
export class Outcomes {
  readonly #rows: Rows
  readonly #clock: Clock
  readonly #progress: Progress
  readonly #storage: string
  readonly #letters: Letter[] = []
  readonly #cleared: string[] = []
  readonly #touched: Change[] = []
  readonly #left = new Map<string, Problem | undefined>()

  constructor({ rows, clock }: { readonly rows: Rows; readonly clock: Clock }, progress: Progress, storage: string) {
    this.#rows = rows
    this.#clock = clock
    this.#progress = progress
    this.#storage = storage
  }

  /** Of runs that are not kept: what was not kept, and why; undefined where it is there as it is. */
  get left(): ReadonlyMap<string, Problem | undefined> {
    return this.#left
  }

  /** @param about Absent where its attributes are not known. */
  refuse(
    { document, uri, about }: Pick<Listed, 'document' | 'uri'> & Partial<Pick<Listed, 'about'>>,
    problem: Problem,
  ): void {
    this.#progress.skip(uri, problem)
    if (this.#progress.isKept) this.#letters.push({ document, uri, ...this.#whose(about), problem, from: this.#from() })
    else this.#left.set(document, problem)
  }

  unchanged({ former, formerVersion, about, document }: Listed): void {
    if (!this.#progress.isKept) this.#left.set(document, undefined)
    const hint = hintOf(about.provenance)
    if (former === undefined || hint === undefined || hint === hintOf(former.provenance)) return
    // The same content under a new mark: it need not be fetched next time.
    const row = { ...former, provenance: about.provenance }
    const key = documentKey(this.#storage, document)
    this.#touched.push(put(DOCUMENTS, key, row, formerVersion ?? 0))
  }

  readable({ document, isDead, quarantined }: Listed): void {
    if (isDead === true || quarantined !== undefined) this.#cleared.push(document)
  }

  /** @param isAllKept Nothing that was read waits to be committed: what waits stays on the list. */
  async keep(isAllKept: boolean): Promise<void> {
    // Each by itself: one that was changed meanwhile has a newer mark.
    for (const change of this.#touched.splice(0)) await this.#rows.commit([change])
    const cleared = isAllKept ? this.#cleared.splice(0) : []
    const letters = this.#letters.splice(0)
    if (letters.length + cleared.length > 0)
      await post(this.#rows, this.#progress.row.collection, letters, cleared, this.#clock.wallMs())
  }

  /** Letters about what is no longer in the source. */
  async forget({ isThere }: Listing): Promise<void> {
    const { collection } = this.#progress.row
    const from = JSON.stringify(this.#from())
    for await (const { row } of scanAll(this.#rows, DEAD_LETTERS, [collection]))
      if (JSON.stringify(row.from) === from && !isThere(row.document, row.uri)) this.#cleared.push(row.document)
  }

  #whose(about: Listed['about'] | undefined): Pick<Letter, 'tenant'> {
    if (about !== undefined) return tenantOf(about)
    const { source } = this.#progress.row
    return source === undefined ? {} : { tenant: source.metadata?.[TENANT] ?? UNKNOWN_TENANT }
  }

  #from(): NonNullable<DeadLetterRow['from']> {
    const { path, source } = this.#progress.row
    return source === undefined ? { path } : { source }
  }
}
