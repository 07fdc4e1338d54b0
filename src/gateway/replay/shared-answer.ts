import type { Clock, Timer } from '../../base/clock.ts'
import type { Problem } from '../../base/errors.ts'
import type { Headers, Reply } from '../../base/http.ts'

/** One answer, read by any number of callers: who comes late gets what was sent so far and follows.
 *
 *  Whoever writes it sees one reply. It is asked to wait while nobody keeps up, and told that its
 *  caller is gone once all of them are. The last piece waits for `release`: by then the answer is
 *  kept, or known not to be. */

/** An answer up to here can be followed from its beginning, and kept. Of a larger one only what
 *  somebody still has to read is remembered. */
export const ANSWER_BYTES_MAX = 4 * 2 ** 20

export interface SharedAnswerDependencies {
  readonly clock: Clock
  /** A caller that takes nothing for this long is cut off. */
  readonly stallMs: number
}

type Piece = string | Uint8Array

/** What was sent, once it is over. */
export interface WholeAnswer {
  readonly status: number
  readonly headers: Headers
  readonly pieces: readonly Piece[]
}

export class SharedAnswer implements Reply {
  readonly #dependencies: SharedAnswerDependencies
  readonly #readers = new Set<Reader>()
  readonly #drainListeners: (() => void)[] = []
  readonly #goneListeners: (() => void)[] = []
  #status = 0
  #headers: Headers = {}
  #pieces: Piece[] = []
  /** Pieces that nobody needs any more, of an answer that is too large. */
  #dropped = 0
  #bytes = 0
  #stage: 'open' | 'ended' | 'released' | 'broken' = 'open'
  #isDeserted = false
  #wantsDrain = false

  constructor(dependencies: SharedAnswerDependencies) {
    this.#dependencies = dependencies
  }

  // Whoever writes

  get headSent(): boolean {
    return this.#status !== 0
  }

  head(status: number, headers: Headers): void {
    this.#status = status
    this.#headers = headers
  }

  write(bytes: Piece): boolean {
    if (this.#stage !== 'open') return true
    this.#add(bytes)
    for (const reader of this.#readers) reader.go()
    this.#trim()
    this.#wantsDrain = !this.#keepsUp
    return !this.#wantsDrain
  }

  end(bytes?: Piece): void {
    if (this.#stage !== 'open') return
    if (bytes !== undefined) this.#add(bytes)
    this.#stage = 'ended'
  }

  abort(): void {
    this.#stage = 'broken'
    for (const reader of this.#readers) reader.break()
  }

  onDrain(listener: () => void): void {
    this.#drainListeners.push(listener)
  }

  onGone(listener: () => void): void {
    if (this.#isDeserted) queueMicrotask(listener)
    else this.#goneListeners.push(listener)
  }

  // Whoever keeps it

  /** Somebody may still join: it has all it sent, and somebody works on it. */
  get isOpen(): boolean {
    return !this.#isDeserted && this.#stage !== 'broken' && !this.isTooLarge
  }

  get isTooLarge(): boolean {
    return this.#bytes > ANSWER_BYTES_MAX
  }

  /** All readers left before it was over. */
  get isDeserted(): boolean {
    return this.#isDeserted
  }

  /** Undefined: it is not over, or too large to be kept. */
  get whole(): WholeAnswer | undefined {
    if (this.#stage !== 'ended' || this.isTooLarge) return undefined
    return { status: this.#status, headers: this.#headers, pieces: this.#pieces }
  }

  /** Lets the end go out. */
  release(): void {
    if (this.#stage !== 'ended') return
    this.#stage = 'released'
    for (const reader of this.#readers) reader.go()
  }

  /** Instead of the end: `say` tells who has seen nothing yet, for the others it breaks. */
  fail(problem: Problem, say: (reply: Reply, problem: Problem) => void): void {
    this.#stage = 'broken'
    for (const reader of this.#readers) {
      if (!reader.hasBegun) say(reader.reply, problem)
      reader.break()
    }
  }

  /** Resolves once this reader has all of it, or is gone. `isReplay`: another asked first. */
  join(reply: Reply, isReplay: boolean): Promise<void> {
    return new Promise((over) => {
      const reader = new Reader(this.#dependencies, this.#source(isReplay), reply, () => {
        this.#readers.delete(reader)
        this.#left()
        over()
      })
      this.#readers.add(reader)
      reader.start()
    })
  }

  #source(isReplay: boolean): Source {
    const headers = (): Headers => (isReplay ? { ...this.#headers, ...REPLAYED } : this.#headers)
    return {
      head: () => ({ status: this.#status, headers: headers() }),
      at: (place) => {
        const isLast = place - this.#dropped === this.#pieces.length - 1
        if (isLast && this.#stage === 'ended') return undefined
        return this.#pieces[place - this.#dropped]
      },
      isOver: (place) => this.#stage === 'released' && place - this.#dropped >= this.#pieces.length,
      drained: () => this.#drained(),
    }
  }

  #add(bytes: Piece): void {
    this.#pieces.push(bytes)
    this.#bytes += typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length
  }

  /** While it can be kept the fastest reader sets the pace; then the slowest. */
  get #keepsUp(): boolean {
    const readers = [...this.#readers]
    return this.isTooLarge ? readers.every(({ isStuck }) => !isStuck) : readers.some(({ isStuck }) => !isStuck)
  }

  #trim(): void {
    if (!this.isTooLarge) return
    const needed = Math.min(this.#dropped + this.#pieces.length, ...[...this.#readers].map(({ place }) => place))
    this.#pieces.splice(0, needed - this.#dropped)
    this.#dropped = needed
  }

  #drained(): void {
    if (!this.#wantsDrain || !this.#keepsUp) return
    this.#wantsDrain = false
    for (const listener of this.#drainListeners) listener()
  }

  #left(): void {
    if (this.#readers.size > 0) return this.#drained()
    if (this.#stage !== 'open') return
    this.#isDeserted = true
    for (const listener of this.#goneListeners) listener()
  }
}

/** As Stripe's API says it of an answer that another request has had before. */
const REPLAYED: Headers = { 'idempotent-replayed': 'true' }

interface Source {
  head(): { readonly status: number; readonly headers: Headers }
  /** Undefined where nothing may go out yet. */
  at(place: number): Piece | undefined
  isOver(place: number): boolean
  /** One that was stuck goes on. */
  drained(): void
}

class Reader {
  readonly reply: Reply
  /** Of the next piece. */
  place = 0
  hasBegun = false
  readonly #dependencies: SharedAnswerDependencies
  readonly #source: Source
  readonly #onOver: () => void
  #stall: Timer | undefined
  #isOver = false

  constructor(dependencies: SharedAnswerDependencies, source: Source, reply: Reply, onOver: () => void) {
    this.#dependencies = dependencies
    this.#source = source
    this.reply = reply
    this.#onOver = onOver
  }

  get isStuck(): boolean {
    return this.#stall !== undefined
  }

  start(): void {
    this.reply.onDrain(() => {
      if (this.#isOver || this.#stall === undefined) return
      this.#stall.cancel()
      this.#stall = undefined
      this.go()
      this.#source.drained()
    })
    this.reply.onGone(() => this.#over())
    this.go()
  }

  go(): void {
    while (!this.#isOver && !this.isStuck) {
      if (this.#source.isOver(this.place)) {
        this.#begin()
        this.reply.end()
        return this.#over()
      }
      const piece = this.#source.at(this.place)
      if (piece === undefined) return
      this.place++
      this.#begin()
      if (this.#source.isOver(this.place)) {
        this.reply.end(piece)
        return this.#over()
      }
      if (!this.reply.write(piece)) this.#stuck()
    }
  }

  /** Of what has begun a truncation must not be taken for an end. */
  break(): void {
    if (this.#isOver) return
    if (this.hasBegun) this.reply.abort()
    this.#over()
  }

  #begin(): void {
    if (this.hasBegun) return
    this.hasBegun = true
    const { status, headers } = this.#source.head()
    this.reply.head(status, headers)
  }

  #stuck(): void {
    this.#stall = this.#dependencies.clock.after(this.#dependencies.stallMs, () => {
      this.reply.abort()
      this.#over()
    })
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stall?.cancel()
    this.#stall = undefined
    this.#onOver()
  }
}
