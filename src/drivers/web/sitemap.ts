import { Parser } from 'htmlparser2'
import { Refusal, refuse } from '../../base/errors.ts'
import type { Fetcher } from '../../base/fetcher.ts'

/** What the protocol allows one file (sitemaps.org). */
const SITEMAP_BYTES_MAX = 50 * 2 ** 20
/** Files that an index leads to, its own included. */
const SITEMAPS_MAX = 1_000

/** The pages of a sitemap and of those it lists, on its own host, as the protocol has it. Refused where
 *  the first file is no sitemap; one further down that is none is left out. */
export async function readSitemap(
  first: string,
  fetcher: Fetcher,
  pagesMax: number,
  signal: AbortSignal,
): Promise<readonly string[] | Refusal> {
  const { host } = new URL(first)
  const pages = new Set<string>()
  const waiting = [first]
  const met = new Set(waiting)
  for (let url = waiting.shift(); url !== undefined && pages.size < pagesMax; url = waiting.shift()) {
    const answer = await fetcher.get(url, { bytesMax: SITEMAP_BYTES_MAX, signal })
    const found = answer instanceof Refusal ? answer : answer.status === 200 ? locations(answer.bytes) : undefined
    if (found === undefined || found instanceof Refusal) {
      if (url !== first) continue
      const reason =
        answer instanceof Refusal ? '' : answer.status === 200 ? 'it is no sitemap' : `it answers ${answer.status}`
      return found ?? refuse('source_unreadable', { source: url, reason })
    }
    for (const location of found.locations) {
      const next = URL.parse(location, url)
      if (next?.host !== host) continue
      next.hash = ''
      if (!found.isIndex) {
        if (pages.size < pagesMax) pages.add(next.href)
      } else if (!met.has(next.href) && met.size < SITEMAPS_MAX) {
        met.add(next.href)
        waiting.push(next.href)
      }
    }
  }
  return [...pages]
}

interface Locations {
  readonly isIndex: boolean
  readonly locations: readonly string[]
}

/** Undefined where it is neither a sitemap nor an index of them. A text with a URL on each line is one. */
function locations(bytes: Uint8Array): Locations | undefined {
  const text = new TextDecoder().decode(bytes)
  if (!/^\s*</.test(text)) {
    const lines = text.split(/\r?\n/).map((line) => line.trim())
    const urls = lines.filter((line) => /^https?:\/\//.test(line))
    return urls.length > 0 ? { isIndex: false, locations: urls } : undefined
  }
  let root = ''
  let piece = ''
  const found: string[] = []
  const parser = new Parser(
    {
      onopentag(name) {
        if (root === '') root = name.toLowerCase()
        piece = ''
      },
      ontext(more) {
        piece += more
      },
      onclosetag(name) {
        // Not those of pictures and films, which have a prefix.
        if (name.toLowerCase() === 'loc') found.push(piece.trim())
      },
    },
    { xmlMode: true, decodeEntities: true },
  )
  parser.end(text)
  if (root !== 'urlset' && root !== 'sitemapindex') return undefined
  return { isIndex: root === 'sitemapindex', locations: found }
}
