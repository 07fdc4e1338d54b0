import { reasonOf } from '../base/errors.ts'
import type { Handler, Headers, Reply, Request } from '../base/http.ts'

/** One request of a batch, made as any other is, without a network in between. */

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Why there is no answer: the reply broke off, or was larger than what is kept. */
export type Unanswered = 'broken' | 'too_large' | 'left'

/** Of one answer. */
const ANSWER_BYTES_MAX = 8 * 2 ** 20

export interface Asking {
  readonly path: string
  readonly headers: Headers
  readonly body: Uint8Array
}

/** Resolves with the whole answer. Where `signal` aborts the request is given up, as by a caller who
 *  goes away. */
export function exchange(
  handle: Handler,
  { path, headers, body }: Asking,
  signal: AbortSignal,
): Promise<Answered | Unanswered> {
  const request: Request = {
    method: 'POST',
    target: path,
    headers: { 'content-type': 'application/json', ...headers },
    peer: 'network',
    body: () => Promise.resolve(body),
    pieces: async function* () {
      yield body
    },
  }
  return new Promise((resolve, reject) => {
    const reply = new Kept(resolve)
    if (signal.aborted) return resolve('left')
    signal.addEventListener('abort', reply.leave, { once: true })
    reply.onEnd = () => signal.removeEventListener('abort', reply.leave)
    try {
      handle(request, reply)
    } catch (thrown) {
      reject(new Error(reasonOf(thrown), { cause: thrown }))
    }
  })
}

class Kept implements Reply {
  headSent = false
  onEnd = (): void => {}
  readonly #settle: (answer: Answered | Unanswered) => void
  readonly #gone: (() => void)[] = []
  readonly #pieces: Buffer[] = []
  #bytes = 0
  #head: { readonly status: number; readonly headers: Headers } = { status: 0, headers: {} }
  #isOver = false
  #isGone = false

  constructor(settle: (answer: Answered | Unanswered) => void) {
    this.#settle = settle
  }

  head(status: number, headers: Headers): void {
    this.headSent = true
    this.#head = { status, headers }
  }

  write(bytes: string | Uint8Array): boolean {
    if (this.#isOver) return true
    const piece = Buffer.from(bytes)
    this.#bytes += piece.length
    if (this.#bytes > ANSWER_BYTES_MAX) this.#go('too_large')
    else this.#pieces.push(piece)
    return true
  }

  end(bytes?: string | Uint8Array): void {
    if (bytes !== undefined) this.write(bytes)
    this.#end({ ...this.#head, text: Buffer.concat(this.#pieces).toString() })
  }

  abort(): void {
    this.#end('broken')
  }

  onDrain(): void {}

  onGone(listener: () => void): void {
    if (this.#isGone) queueMicrotask(listener)
    else this.#gone.push(listener)
  }

  readonly leave = (): void => this.#go('left')

  #go(why: Unanswered): void {
    if (this.#isOver) return
    this.#isGone = true
    this.#end(why)
    for (const listener of this.#gone) listener()
  }

  #end(answer: Answered | Unanswered): void {
    if (this.#isOver) return
    this.#isOver = true
    this.onEnd()
    this.#settle(answer)
  }
}
