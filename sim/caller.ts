import type { Handler, Headers } from '../src/base/http.ts'
import type { Dice } from './dice.ts'
import { Connection, type Upload } from './incoming.ts'
import type { Kernel } from './kernel.ts'
import type { Life } from './life.ts'
import type { Packet } from './pipe.ts'
import type { RequestPlan } from './scenario.ts'

/** One caller: sends its request, reads or does not, stays or leaves, and remembers every byte. */

export type CallerState = 'not yet' | 'waiting' | 'ended' | 'reset' | 'left'

/** The keys that exist, as texts. */
export const KEY_TEXTS = { user: 'hw_user_key_of_the_simulation', admin: 'hw_admin_key_of_the_simulation' } as const

/** What the house takes at most, so that a plan can be past it. */
export const BODY_BYTES_MAX = 4096
export const BODY_DEPTH_MAX = 16

/** Longer than an engine may be silent, shorter than a caller may be. */
const LONG_NAP_MS = 2_700

const TARGETS = { chat: '/v1/chat/completions', rerank: '/v1/rerank', embeddings: '/v1/embeddings' } as const

export class Caller {
  readonly plan: RequestPlan
  state: CallerState = 'not yet'
  status: number | undefined
  headers: Headers = {}
  connection: Connection | undefined
  /** What the journal calls its request, once it does. */
  recordedAs: string | undefined
  calledMs = 0
  heardMs = 0
  /** How long it waited for the status, and then, at the longest, for the next packet. */
  waitedMs = 0
  silenceMs = 0
  /** The life of the house it spoke to. */
  life: Life | undefined
  readonly #kernel: Kernel
  readonly #dice: Dice
  readonly #parts: Uint8Array[] = []
  #bytes = 0
  #napped = false

  constructor(kernel: Kernel, dice: Dice, plan: RequestPlan) {
    this.plan = plan
    this.#kernel = kernel
    this.#dice = dice
  }

  /** All that arrived. */
  text(): string {
    return Buffer.concat(this.#parts).toString('utf8')
  }

  /** `onHeard` is called with every packet once it is in the record. */
  call(life: Life, handler: Handler | undefined, onHeard: (kind: Packet['kind']) => void): void {
    const { name, leaves } = this.plan
    this.state = 'waiting'
    this.life = life
    this.calledMs = this.#kernel.nowMs
    this.heardMs = this.calledMs
    const connection = new Connection(this.#kernel, this.#dice, name, life, this.#upload(), (packet) => {
      this.#receive(packet)
      onHeard(packet.kind)
    })
    this.connection = connection
    connection.open(handler)
    if (leaves !== undefined && 'afterMs' in leaves)
      this.#kernel.after(leaves.afterMs, `${name} leaves`, () => this.#leave())
  }

  #receive(packet: Packet): void {
    const { nowMs } = this.#kernel
    if (this.status === undefined) this.waitedMs = nowMs - this.calledMs
    else this.silenceMs = Math.max(this.silenceMs, nowMs - this.heardMs)
    this.heardMs = nowMs
    if (packet.kind === 'head') {
      this.status = packet.status
      this.headers = packet.headers
    } else if (packet.kind === 'data') {
      this.#parts.push(packet.bytes)
      this.#bytes += packet.bytes.length
      const { leaves } = this.plan
      if (leaves !== undefined && 'afterBytes' in leaves && this.#bytes > leaves.afterBytes) return this.#leave()
      this.#dawdle()
    } else {
      this.state = packet.kind === 'end' ? 'ended' : 'reset'
    }
  }

  #dawdle(): void {
    const { reads, name } = this.plan
    if (reads === 'steadily' || (reads === 'slowly' && this.#dice.chance(0.6))) return
    this.connection?.stopReading()
    if (reads !== 'slowly') return
    const napMs = !this.#napped && this.#dice.chance(0.3) ? LONG_NAP_MS : this.#dice.int(1, 300)
    this.#napped ||= napMs === LONG_NAP_MS
    this.#kernel.after(napMs, `${name} reads on`, () => this.connection?.goOnReading())
  }

  #leave(): void {
    if (this.state !== 'waiting') return
    this.state = 'left'
    this.connection?.leave()
  }

  #upload(): Upload {
    const { body, credential, isKeyed, name } = this.plan
    const key =
      credential === 'unknown'
        ? 'hw_nobody'
        : credential === 'none'
          ? undefined
          : credential === 'two'
            ? KEY_TEXTS.user
            : KEY_TEXTS[credential]
    return {
      method: 'POST',
      target: TARGETS[this.plan.operation],
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(isKeyed ? { 'idempotency-key': name } : {}),
        ...(credential === 'two' ? { 'x-api-key': KEY_TEXTS.admin } : {}),
      },
      body: new TextEncoder().encode(bodyText(this.plan)),
      fate: body === 'stalls' || body === 'breaks' ? body : 'arrives',
    }
  }
}

function bodyText({ operation, body, name, model, stream, includeUsage }: RequestPlan): string {
  if (body === 'malformed') return '{"model": "solo", "messages": [{]'
  if (body === 'deep') return '['.repeat(BODY_DEPTH_MAX + 1) + ']'.repeat(BODY_DEPTH_MAX + 1)
  const asked = {
    chat: {
      messages: [{ role: 'user', content: name }],
      stream,
      ...(includeUsage ? { stream_options: { include_usage: true } } : {}),
    },
    rerank: { query: name, documents: ['one', 'two', 'three'] },
    embeddings: { input: [name, 'and more'] },
  }[operation]
  const whole = {
    model,
    ...(body === 'fieldless' ? {} : asked),
    ...(body === 'large' ? { padding: 'x'.repeat(BODY_BYTES_MAX) } : {}),
  }
  return JSON.stringify(whole)
}
