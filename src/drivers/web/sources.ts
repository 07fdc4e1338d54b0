import type { Clock } from '../../base/clock.ts'
import { Fault, Refusal, refuse } from '../../base/errors.ts'
import type { Fetched, Fetcher } from '../../base/fetcher.ts'
import type { SourceConfig } from '../../config/schema.ts'
import type { Content, Item, OpenSource } from '../../retrieval/sources.ts'
import { Robots } from './robots.ts'
import { readSitemap } from './sitemap.ts'

/** Pages of the web: a list of them, or what a sitemap lists. A page is asked for again with the ETag or
 *  the date it had, so that one that did not change is not sent again. */

export interface WebOptions {
  readonly fetcher: Fetcher
  readonly clock: Clock
  /** Of one page. */
  readonly bytesMax: number
}

export function openUrls(config: Extract<SourceConfig, { readonly kind: 'urls' }>, options: WebOptions): OpenSource {
  return new WebSource(`urls:${config.name}`, config.urls, options)
}

export async function openSitemap(
  { url, pagesMax }: Extract<SourceConfig, { readonly kind: 'sitemap' }>,
  options: WebOptions,
  signal: AbortSignal,
): Promise<OpenSource | Refusal> {
  const pages = await readSitemap(url, options.fetcher, pagesMax, signal)
  if (pages instanceof Refusal) return pages
  return new WebSource(url, pages, options, new Robots(options.fetcher, options.clock))
}

class WebSource implements OpenSource {
  readonly locator: string
  readonly #pages: readonly string[]
  readonly #options: WebOptions
  readonly #robots: Robots | undefined

  constructor(locator: string, pages: readonly string[], options: WebOptions, robots?: Robots) {
    this.locator = locator
    this.#pages = pages
    this.#options = options
    this.#robots = robots
  }

  async *list(signal: AbortSignal): AsyncGenerator<Item> {
    for (const page of this.#pages) {
      if (signal.aborted) return
      const url = new URL(page)
      url.hash = ''
      yield {
        kind: 'document',
        uri: url.href,
        name: url.pathname.slice(url.pathname.lastIndexOf('/') + 1) || url.hostname,
        read: (known, until) => this.#read(url, known, until),
      }
    }
  }

  async close(): Promise<void> {}

  async #read(url: URL, known: string | undefined, signal: AbortSignal): Promise<Content | 'unchanged' | Refusal> {
    const robots = this.#robots
    if (robots !== undefined && !(await robots.mayRead(url, signal)))
      return refuse('document_absent', { reason: 'robots.txt of its host does not allow it to be read' })
    await robots?.turn(url, signal)
    try {
      const answer = await this.#options.fetcher.get(url.href, {
        headers: conditions(known),
        bytesMax: this.#options.bytesMax,
        signal,
        ...(robots === undefined ? {} : { mayFollow: (next) => robots.mayRead(next, signal) }),
      })
      return answer instanceof Refusal ? answer : contentOf(answer)
    } catch (thrown) {
      // One host that is down is no reason to leave the pages of others unread.
      if (thrown instanceof Fault && thrown.code === 'source_unavailable')
        return new Refusal(thrown.code, thrown.details)
      throw thrown
    }
  }
}

function contentOf({ url, status, headers, bytes }: Fetched): Content | 'unchanged' | Refusal {
  if (status === 304) return 'unchanged'
  if (status === 404 || status === 410) return refuse('document_absent', { reason: `its server answers ${status}` })
  if (status >= 500 || status === 429)
    return refuse('source_unavailable', { source: url, reason: `it answers ${status}` })
  if (status !== 200) return refuse('document_unreadable', { reason: `its server answers ${status}` })
  const { etag, 'last-modified': modified, 'content-type': mediaType } = headers
  const revision = etag !== undefined ? `etag ${etag}` : modified === undefined ? undefined : `modified ${modified}`
  return {
    bytes,
    ...(revision === undefined ? {} : { revision }),
    ...(mediaType === undefined ? {} : { mediaType }),
  }
}

/** RFC 9110, 13.1. */
function conditions(known: string | undefined): { readonly [name: string]: string } {
  if (known?.startsWith('etag ') === true) return { 'if-none-match': known.slice(5) }
  return known?.startsWith('modified ') === true ? { 'if-modified-since': known.slice(9) } : {}
}
