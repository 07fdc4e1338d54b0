import { hash } from 'node:crypto'
import { reasonOf, refuse, type Refusal } from '../base/errors.ts'
import { problemsText, type ConfigProblem } from '../config/problem.ts'
import { type PriceEntry, type PriceFile, readPriceFile, type Source } from './price-file.ts'
import type { Price, Rates, VersionedPrice } from './prices.ts'

/** What providers charge, as known when the files were read: the catalogue that comes with the
 *  program, and over it an operator's own file. Look-ups only; everything is resolved here. */

export interface ListedPrice extends PriceEntry {
  /** The file of an operator, or absent for the shipped catalogue. */
  readonly file?: string
  readonly origin?: Source
}

export interface PriceCatalogue {
  /** Names the figures exactly: the day they were compiled and a hash of the file; after `+` that
   *  of the operator's own. */
  readonly version: string
  readonly providers: ReadonlySet<string>
  /** Every price that can apply, by provider, model and day. */
  readonly listed: readonly ListedPrice[]
  /** The provider whose own address this URL is. */
  providerAt(url: string): string | undefined
  /** Undefined where the provider, the model or its price on that day is not known. */
  priceOf(wanted: {
    readonly provider: string
    readonly model: string
    /** Milliseconds since 1970. */
    readonly atMs: number
  }): VersionedPrice | undefined
}

export interface PriceFileBytes {
  readonly path: string
  readonly bytes: Uint8Array
}

/** Reads and checks both files; the refusal lists every problem of the first one that has any. An
 *  operator's entry replaces all that the catalogue says about that model. */
export async function loadCatalogue(
  shipped: PriceFileBytes,
  own: PriceFileBytes | undefined,
): Promise<PriceCatalogue | Refusal> {
  const base = readShipped(shipped)
  if (base.problems.length > 0) return refuseFile(shipped.path, base.problems)
  if (own === undefined) return build(versionOf(base.file, shipped), base.file, [])
  // The parser of YAML is loaded only where there is something to parse.
  const { readYaml } = await import('../config/yaml.ts')
  const yaml = readYaml(own.bytes)
  const over = readPriceFile(yaml.value, (path, of) => yaml.locate(path, of))
  const problems = yaml.problems.length > 0 ? yaml.problems : over.problems
  if (problems.length > 0) return refuseFile(own.path, problems)
  const listed = over.file.entries.map((entry) => list(entry, over.file, own.path))
  return build(`${versionOf(base.file, shipped)}+${shortHash(own)}`, base.file, listed)
}

function readShipped({ bytes }: PriceFileBytes): ReturnType<typeof readPriceFile> {
  try {
    return readPriceFile(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)), () => undefined)
  } catch (cause) {
    const problem = { path: [], wrong: `is not valid JSON: ${reasonOf(cause)}`, remedy: 'Install Headworks again.' }
    return { file: { providers: new Map(), sources: new Map(), entries: [] }, problems: [problem] }
  }
}

const refuseFile = (file: string, list: readonly ConfigProblem[]): Refusal =>
  refuse('prices_invalid', { file, problems: problemsText(file, list), list })

const shortHash = ({ bytes }: PriceFileBytes): string => hash('sha256', bytes).slice(0, 8)
const versionOf = (file: PriceFile, bytes: PriceFileBytes): string =>
  `${file.compiled ?? 'undated'}.${shortHash(bytes)}`

function list(entry: PriceEntry, { sources }: PriceFile, file?: string): ListedPrice {
  const origin = sources.get(entry.source ?? '')
  return Object.freeze({
    ...entry,
    ...(file === undefined ? {} : { file }),
    ...(origin === undefined ? {} : { origin }),
  })
}

/** One price in time, latest first. */
interface Step {
  readonly fromMs: number
  readonly versioned: VersionedPrice
}
type Table = Map<string, Map<string, Step[]>>

function build(version: string, base: PriceFile, own: readonly ListedPrice[]): PriceCatalogue {
  const replaced = new Set(own.flatMap((entry) => namesOf(entry).map((model) => keyOf(entry.provider, model))))
  const kept = base.entries.flatMap((entry) => {
    const [model, ...also] = namesOf(entry).filter((name) => !replaced.has(keyOf(entry.provider, name)))
    return model === undefined ? [] : [list({ ...entry, model, also }, base)]
  })
  const listed = Object.freeze([...kept, ...own].sort(byName))
  const table: Table = new Map()
  for (const entry of listed) {
    const models = table.get(entry.provider) ?? new Map<string, Step[]>()
    table.set(entry.provider, models)
    const step = { fromMs: entry.fromMs, versioned: Object.freeze({ price: priceFrom(entry), version }) }
    for (const model of namesOf(entry))
      models.set(
        model,
        [step, ...(models.get(model) ?? [])].sort((a, b) => b.fromMs - a.fromMs),
      )
  }
  const hosts = new Map([...base.providers].flatMap(([name, provider]) => provider.hosts.map((host) => [host, name])))
  return Object.freeze({
    version,
    providers: new Set([...base.providers.keys(), ...table.keys()]),
    listed,
    providerAt: (url: string) => hosts.get(URL.parse(url)?.host ?? ''),
    priceOf: ({ provider, model, atMs }: Parameters<PriceCatalogue['priceOf']>[0]) =>
      table
        .get(provider)
        ?.get(model)
        ?.find(({ fromMs }) => fromMs <= atMs)?.versioned,
  })
}

const namesOf = ({ model, also }: PriceEntry): string[] => [model, ...also]
const keyOf = (provider: string, model: string): string => JSON.stringify([provider, model])

const byName = (a: PriceEntry, b: PriceEntry): number =>
  compare(a.provider, b.provider) || compare(a.model, b.model) || compare(a.fromMs, b.fromMs)
const compare = <Value extends string | number>(a: Value, b: Value): number => (a < b ? -1 : a > b ? 1 : 0)

function priceFrom({ prices, long }: PriceEntry): Price {
  const rates = ratesFrom(prices)
  if (long === undefined) return rates
  return Object.freeze({
    ...rates,
    long: Object.freeze({ overInputTokens: long.overInputTokens, rates: ratesFrom(long.prices) }),
  })
}

/** Where the provider names no price of its own for cached input, it has none: it charges the full
 *  one. What the other buckets then cost is said at `Rates`. */
function ratesFrom({ input = 0n, cachedInput = input, output = 0n, ...others }: PriceEntry['prices']): Rates {
  const { cacheWrite5m, cacheWrite1h, audioInput, imageInput, audioOutput } = others
  return Object.freeze({
    inputNanoUsd: input,
    cachedInputNanoUsd: cachedInput,
    ...(cacheWrite5m === undefined ? {} : { cacheWrite5mNanoUsd: cacheWrite5m }),
    ...(cacheWrite1h === undefined ? {} : { cacheWrite1hNanoUsd: cacheWrite1h }),
    ...(audioInput === undefined ? {} : { audioInputNanoUsd: audioInput }),
    ...(imageInput === undefined ? {} : { imageInputNanoUsd: imageInput }),
    outputNanoUsd: output,
    ...(audioOutput === undefined ? {} : { audioOutputNanoUsd: audioOutput }),
  })
}
