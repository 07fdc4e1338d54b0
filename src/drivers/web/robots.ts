import robotsParser from 'robots-parser'
import { sleep, type Clock } from '../../base/clock.ts'
import { Fault, Refusal } from '../../base/errors.ts'
import type { Fetcher } from '../../base/fetcher.ts'

/** Of a robots.txt, what a crawler has to read at least (RFC 9309, 2.5). */
const ROBOTS_BYTES_MAX = 512 * 1024
const USER_AGENT = 'Headworks'
/** The longest pause between two pages that a host may ask for. */
const PAUSE_MS_MAX = 10_000

/** The package says of itself that it is an ES module, and is none. */
const parse = robotsParser as unknown as (url: string, text: string) => Parsed

interface Parsed {
  isAllowed(url: string, userAgent: string): boolean | undefined
  /** In seconds. */
  getCrawlDelay(userAgent: string): number | undefined
}

interface Rules {
  isAllowed(url: string): boolean
  readonly pauseMs: number
}

/** What the hosts of one crawl allow, by RFC 9309: asked once for each. */
export class Robots {
  readonly #fetcher: Fetcher
  readonly #clock: Clock
  readonly #rules = new Map<string, Promise<Rules>>()
  #next: Promise<void> = Promise.resolve()

  constructor(fetcher: Fetcher, clock: Clock) {
    this.#fetcher = fetcher
    this.#clock = clock
  }

  async mayRead(url: URL, signal: AbortSignal): Promise<boolean> {
    return (await this.#of(url.origin, signal)).isAllowed(url.href)
  }

  /** Waits for as long as the host wants between two pages. */
  async turn(url: URL, signal: AbortSignal): Promise<void> {
    const { pauseMs } = await this.#of(url.origin, signal)
    if (pauseMs === 0) return
    const mine = this.#next
    this.#next = mine.then(() => sleep(this.#clock, pauseMs, signal))
    await mine
  }

  #of(origin: string, signal: AbortSignal): Promise<Rules> {
    let rules = this.#rules.get(origin)
    if (rules === undefined) {
      rules = this.#read(origin, signal)
      this.#rules.set(origin, rules)
    }
    return rules
  }

  async #read(origin: string, signal: AbortSignal): Promise<Rules> {
    const url = `${origin}/robots.txt`
    try {
      const answer = await this.#fetcher.get(url, { bytesMax: ROBOTS_BYTES_MAX, signal })
      // What is unreachable forbids everything; what is not there, nothing (RFC 9309, 2.3.1).
      if (answer instanceof Refusal || answer.status >= 500) return NOTHING
      if (answer.status !== 200) return EVERYTHING
      const parsed = parse(url, new TextDecoder().decode(answer.bytes))
      const pauseMs = (parsed.getCrawlDelay(USER_AGENT) ?? 0) * 1000
      return {
        isAllowed: (page) => parsed.isAllowed(page, USER_AGENT) !== false,
        pauseMs: pauseMs > 0 ? Math.min(pauseMs, PAUSE_MS_MAX) : 0,
      }
    } catch (thrown) {
      if (thrown instanceof Fault && thrown.code === 'source_unavailable') return NOTHING
      throw thrown
    }
  }
}

const NOTHING: Rules = { isAllowed: () => false, pauseMs: 0 }
const EVERYTHING: Rules = { isAllowed: () => true, pauseMs: 0 }
