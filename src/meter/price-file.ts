import { nearest } from '../base/nearest.ts'
import { parseUsd } from '../base/units.ts'
import { shown, type ConfigProblem, type Path, type Place } from '../config/problem.ts'

/** The form of a price file, the shipped catalogue and an operator's own alike: every problem is
 *  found at once, each with its path and what to do. */

/** Disjoint kinds of tokens. `cachedInput`: read from the provider's cache; `cacheWrite5m` and
 *  `cacheWrite1h`: written to it, by how long it keeps them. */
export const BUCKETS = [
  'input',
  'cachedInput',
  'cacheWrite5m',
  'cacheWrite1h',
  'output',
  'audioInput',
  'imageInput',
  'audioOutput',
] as const
export type Bucket = (typeof BUCKETS)[number]

/** Nano-USD per million tokens. What is absent is not known. */
export type BucketPrices = { readonly [Name in Bucket]?: bigint }

export interface PriceEntry {
  readonly provider: string
  readonly model: string
  /** Other names of the same model at the same price. */
  readonly also: readonly string[]
  /** The day, from 00:00 UTC; absent: always. */
  readonly validFrom?: string
  readonly fromMs: number
  readonly prices: BucketPrices
  readonly long?: { readonly overInputTokens: number; readonly prices: BucketPrices }
  /** Where the figures were read. */
  readonly source?: string
}

export interface Source {
  readonly url: string
  /** The day the page was read. */
  readonly read: string
  /** By whom, where not by us. */
  readonly by?: string
}

export interface PriceFile {
  readonly compiled?: string
  readonly providers: ReadonlyMap<string, { readonly hosts: readonly string[] }>
  readonly sources: ReadonlyMap<string, Source>
  readonly entries: readonly PriceEntry[]
}

const ENTRIES_MAX = 10_000
const ALSO_MAX = 100
const NAME_LENGTH_MAX = 256
const INPUT_TOKENS_MAX = 1_000_000_000
/** Beyond a million dollars per million tokens it is a slip. */
const PRICE_NANOUSD_MAX = 1_000_000_000_000_000n

const PRICE_REMEDY =
  'Write US dollars per million tokens, such as "0.15": at most six digits before the point and nine after it.'
const DATE_REMEDY = 'Write a day that exists, such as 2026-03-01; it begins at 00:00 UTC.'

type Fields = { readonly [name: string]: unknown }
type Locate = (path: Path, of: 'name' | 'value') => Place | undefined

/** Checks a parsed file. Where there are problems, the entries are those that are in order. */
export function readPriceFile(value: unknown, locate: Locate): { file: PriceFile; problems: readonly ConfigProblem[] } {
  const reader = new Reader(locate)
  return { file: reader.file(value), problems: reader.problems }
}

class Reader {
  readonly problems: ConfigProblem[] = []
  readonly #locate: Locate

  constructor(locate: Locate) {
    this.#locate = locate
  }

  file(value: unknown): PriceFile {
    const fields = this.#fields(value, [], ['compiled', 'about', 'providers', 'sources', 'prices'], ['prices'])
    const compiled = fields?.['compiled'] === undefined ? undefined : this.#day(fields['compiled'], ['compiled'])
    const providers = new Map(
      this.#named(fields?.['providers'], ['providers']).map(([name, provider, path]) => {
        const hosts = this.#fields(provider, path, ['hosts'], [])?.['hosts']
        return [name, { hosts: hosts === undefined ? [] : this.#texts(hosts, [...path, 'hosts']) }] as const
      }),
    )
    const sources = new Map(
      this.#named(fields?.['sources'], ['sources']).flatMap(([name, source, path]) => {
        const read = this.#source(source, path)
        return read === undefined ? [] : [[name, read] as const]
      }),
    )
    // One that is not in order has been told of already.
    const known = fields?.['sources'] === undefined ? undefined : new Set(Object.keys(fields['sources'] ?? {}))
    const found = this.#list(fields?.['prices'], ['prices'], ENTRIES_MAX).map((entry, at) =>
      this.#entry(entry, ['prices', at], known),
    )
    this.#compare(found)
    const entries = found.filter((entry) => entry !== undefined)
    return { ...(compiled === undefined ? {} : { compiled }), providers, sources, entries }
  }

  #source(value: unknown, path: Path): Source | undefined {
    const fields = this.#fields(value, path, ['url', 'read', 'by'], ['url', 'read'])
    if (fields === undefined) return undefined
    const url = this.#text(fields['url'], [...path, 'url'], 2048)
    const read = this.#day(fields['read'], [...path, 'read'])
    const by = fields['by'] === undefined ? undefined : this.#text(fields['by'], [...path, 'by'], 2048)
    if (url === undefined || read === undefined) return undefined
    return { url, read, ...(by === undefined ? {} : { by }) }
  }

  #entry(value: unknown, path: Path, sources: ReadonlySet<string> | undefined): PriceEntry | undefined {
    const known = ['provider', 'model', 'also', 'validFrom', 'source', 'usdPerMillion', 'long']
    const fields = this.#fields(value, path, known, ['provider', 'model', 'usdPerMillion'])
    if (fields === undefined) return undefined
    const at = (name: string): Path => [...path, name]
    const provider = this.#text(fields['provider'], at('provider'))
    const model = this.#text(fields['model'], at('model'))
    const also = fields['also'] === undefined ? [] : this.#texts(fields['also'], at('also'))
    const validFrom = fields['validFrom'] === undefined ? undefined : this.#day(fields['validFrom'], at('validFrom'))
    const prices = this.#prices(fields['usdPerMillion'], at('usdPerMillion'))
    const long = fields['long'] === undefined ? undefined : this.#long(fields['long'], at('long'), prices)
    const source = fields['source'] === undefined ? undefined : this.#text(fields['source'], at('source'), 2048)
    if (source !== undefined && sources?.has(source) === false)
      this.#say(at('source'), 'names no source', `Name one under \`sources:\`: ${[...sources].join(', ')}.`, source)
    if (provider === undefined || model === undefined || prices === undefined) return undefined
    return {
      provider,
      model,
      also,
      ...(validFrom === undefined ? {} : { validFrom }),
      fromMs: validFrom === undefined ? -Infinity : Date.parse(validFrom),
      prices,
      ...(long === undefined ? {} : { long }),
      ...(source === undefined ? {} : { source }),
    }
  }

  #prices(value: unknown, path: Path): BucketPrices | undefined {
    const fields = this.#fields(value, path, BUCKETS, ['input', 'output'])
    if (fields === undefined) return undefined
    const prices: { [Name in Bucket]?: bigint } = {}
    for (const bucket of BUCKETS) {
      const price = fields[bucket]
      if (price === undefined) continue
      const nanoUsd = typeof price === 'string' || typeof price === 'number' ? parseUsd(String(price)) : undefined
      if (nanoUsd !== undefined && nanoUsd < PRICE_NANOUSD_MAX) prices[bucket] = nanoUsd
      else this.#say([...path, bucket], 'is no price', PRICE_REMEDY, price)
    }
    return prices
  }

  #long(value: unknown, path: Path, below: BucketPrices | undefined): PriceEntry['long'] {
    const fields = this.#fields(value, path, ['overInputTokens', 'usdPerMillion'], ['overInputTokens', 'usdPerMillion'])
    if (fields === undefined) return undefined
    const over = fields['overInputTokens']
    const isCount = typeof over === 'number' && Number.isInteger(over) && over > 0 && over <= INPUT_TOKENS_MAX
    if (over !== undefined && !isCount)
      this.#say([...path, 'overInputTokens'], 'is no count of tokens', 'Write a whole number, such as 200000.', over)
    const at = [...path, 'usdPerMillion']
    const prices = this.#prices(fields['usdPerMillion'], at)
    if (prices === undefined || !isCount) return undefined
    for (const bucket of ['cachedInput', 'cacheWrite5m', 'cacheWrite1h'] as const) {
      if (below?.[bucket] !== undefined && fields['usdPerMillion'] !== undefined && prices[bucket] === undefined)
        this.#gap([...at, bucket], 'although short requests have one')
    }
    return { overInputTokens: over, prices }
  }

  /** What one entry says about another: none twice, and no bucket that loses its price. */
  #compare(entries: readonly (PriceEntry | undefined)[]): void {
    const byModel = new Map<string, { entry: PriceEntry; at: number }[]>()
    for (const [at, entry] of entries.entries()) {
      for (const model of entry === undefined ? [] : [entry.model, ...entry.also]) {
        const key = JSON.stringify([entry?.provider, model])
        const others = byModel.get(key) ?? []
        if (entry !== undefined) others.push({ entry, at })
        byModel.set(key, others)
      }
    }
    for (const steps of byModel.values()) {
      steps.sort((a, b) => a.entry.fromMs - b.entry.fromMs)
      for (const [index, { entry, at }] of steps.entries()) {
        const before = steps[index - 1]
        if (before === undefined) continue
        if (before.entry.fromMs === entry.fromMs) {
          const since = entry.validFrom === undefined ? '' : ` from ${entry.validFrom} on`
          const remedy = 'Keep one of the two, or give the later one the day it begins as `validFrom`.'
          this.#say(['prices', at], `prices a model that prices[${before.at}] prices${since} too`, remedy)
          continue
        }
        for (const bucket of BUCKETS) {
          if (before.entry.prices[bucket] !== undefined && entry.prices[bucket] === undefined)
            this.#gap(['prices', at, 'usdPerMillion', bucket], `although prices[${before.at}] has one`)
        }
      }
    }
  }

  #gap(path: Path, although: string): void {
    this.#say(path, `has no price, ${although}`, 'Add it; where it costs nothing, write "0".')
  }

  #fields(value: unknown, path: Path, known: readonly string[], needed: readonly string[]): Fields | undefined {
    // What is missing has been said where it is missing.
    if (value === undefined && path.length > 0) return undefined
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#say(path, 'is no mapping', `Write fields: ${known.join(', ')}.`, path.length === 0 ? undefined : value)
      return undefined
    }
    for (const name of Object.keys(value)) {
      if (known.includes(name)) continue
      const near = nearest(name, known)
      const meant = near === undefined ? '' : `Did you mean "${near}"? `
      this.#say([...path, name], 'is not a known field', `${meant}Known here: ${known.join(', ')}.`)
    }
    for (const name of needed) {
      if ((value as Fields)[name] === undefined) this.#say([...path, name], 'is missing', 'Add it.')
    }
    return value as Fields
  }

  #named(value: unknown, path: Path): [name: string, value: unknown, path: Path][] {
    if (value === undefined) return []
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#say(path, 'is no mapping', 'Write `name: ...` lines.', value)
      return []
    }
    return Object.entries(value).map(([name, one]) => [name, one, [...path, name]])
  }

  #list(value: unknown, path: Path, lengthMax: number): readonly unknown[] {
    if (value === undefined) return []
    if (Array.isArray(value) && value.length <= lengthMax) return value as readonly unknown[]
    if (Array.isArray(value)) this.#say(path, `has more than ${lengthMax} entries`, 'Leave out what you do not use.')
    else this.#say(path, 'is no list', 'Write `- ...` lines.', value)
    return []
  }

  #texts(value: unknown, path: Path): string[] {
    return this.#list(value, path, ALSO_MAX).flatMap((one, at) => this.#text(one, [...path, at]) ?? [])
  }

  #text(value: unknown, path: Path, lengthMax = NAME_LENGTH_MAX): string | undefined {
    if (value === undefined) return undefined
    if (typeof value === 'string' && value !== '' && value.length <= lengthMax) return value
    this.#say(path, 'is no text', `Write 1 to ${lengthMax} characters.`, value)
    return undefined
  }

  #day(value: unknown, path: Path): string | undefined {
    if (value === undefined) return undefined
    if (typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value)) {
      const ms = Date.parse(value)
      if (!Number.isNaN(ms) && new Date(ms).toISOString().startsWith(value)) return value
    }
    this.#say(path, 'is no date', DATE_REMEDY, value)
    return undefined
  }

  #say(path: Path, wrong: string, remedy: string, value?: unknown): void {
    const place = this.#locate(path, 'value')
    const text = shown(value)
    this.problems.push({
      path,
      wrong,
      remedy,
      ...(place === undefined ? {} : { place }),
      ...(text === undefined ? {} : { value: text }),
    })
  }
}
