import { hash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { Principal } from './principal.ts'

/** Console sign-ins: a one-time link, or a key, becomes a cookie. Kept in memory; a restart asks
 *  to sign in again. */

const LINK_TTL_MS = 15 * 60_000
const SESSION_TTL_MS = 12 * 3_600_000
/** Of links and of sessions each; one more ends the oldest. */
const SESSIONS_MAX = 1000

export const SESSION_COOKIE = 'headworks_session'

interface Held {
  readonly principal: Principal
  readonly untilMs: number
}

export class Sessions {
  readonly #clock: Clock
  readonly #random: Random
  readonly #links = new Map<string, Held>()
  readonly #sessions = new Map<string, Held>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  /** A token that opens one session for `principal`, within 15 minutes. */
  issueLink(principal: Principal): string {
    return this.#hold(this.#links, principal, LINK_TTL_MS)
  }

  /** The cookie's value, or undefined when the token was used, is too old or never was. */
  redeemLink(token: string): string | undefined {
    const held = this.#find(this.#links, token)
    this.#links.delete(digest(token))
    return held === undefined ? undefined : this.open(held.principal)
  }

  open(principal: Principal): string {
    return this.#hold(this.#sessions, principal, SESSION_TTL_MS)
  }

  find(cookie: string): Principal | undefined {
    return this.#find(this.#sessions, cookie)?.principal
  }

  close(cookie: string): void {
    this.#sessions.delete(digest(cookie))
  }

  /** Ends what a revoked key had opened. */
  closeAllOf(principalId: string): void {
    for (const held of [this.#links, this.#sessions]) {
      for (const [key, { principal }] of held) if (principal.id === principalId) held.delete(key)
    }
  }

  #hold(into: Map<string, Held>, principal: Principal, ttlMs: number): string {
    const token = Buffer.from(this.#random.bytes(24)).toString('base64url')
    const [oldest] = into.keys()
    if (into.size >= SESSIONS_MAX && oldest !== undefined) into.delete(oldest)
    into.set(digest(token), { principal, untilMs: this.#clock.monotonicMs() + ttlMs })
    return token
  }

  #find(from: Map<string, Held>, token: string): Held | undefined {
    const held = from.get(digest(token))
    return held !== undefined && held.untilMs > this.#clock.monotonicMs() ? held : undefined
  }
}

/** Tokens are looked up by digest, so that the look-up's timing says nothing about them. */
const digest = (token: string): string => hash('sha256', token, 'hex')

export const sessionCookie = (value: string): string =>
  `${SESSION_COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${value === '' ? 0 : SESSION_TTL_MS / 1000}`
