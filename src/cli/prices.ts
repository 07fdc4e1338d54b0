import { Refusal } from '../base/errors.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { nearest } from '../base/nearest.ts'
import { formatCount, formatUsd } from '../base/units.ts'
import type { ListedPrice } from '../meter/catalogue.ts'
import type { BucketPrices, Source } from '../meter/price-file.ts'
import type { Argument, Input, Run } from './command.ts'
import { Declined, declinedBy, printJson, report } from './declined.ts'
import { widthFor } from './style.ts'
import { oneLine, table } from './text.ts'

type Words = readonly [Argument & { name: 'model'; optional: true }]

export const run: Run<Input<Words, Record<never, never>>> = async ({ words, json }, context) => {
  const loaded = await context.loadConfig()
  if (loaded instanceof Refusal) return report(context, declinedBy(loaded), json)
  const prices = await context.loadPrices(loaded)
  if (prices instanceof Refusal) return report(context, declinedBy(prices), json)
  const wanted = words.model
  const found = prices.listed.filter((entry) => wanted === undefined || matches(entry, wanted))
  if (wanted !== undefined && found.length === 0) {
    const near = nearest(wanted, prices.listed.flatMap(namesOf))
    const meant = near === undefined ? '' : `Did you mean "${near}"? `
    const message = `No price is known for "${oneLine(wanted)}".\n${meant}Give its deployment a \`price\`, or write it into the file that \`prices:\` names.`
    return report(context, new Declined('price_unknown', message, 3), json)
  }
  if (json) {
    printJson(context, { version: prices.version, prices: found.map(entryJson) })
    return 0
  }
  const rows = found.flatMap((entry) => {
    const { provider, model, validFrom = 'always' } = entry
    const source = entry.file ?? (entry.origin === undefined ? '' : sourceText(entry.origin))
    const row = [provider, model, ...figures(entry.prices), validFrom, source]
    if (entry.long === undefined) return [row]
    const over = `over ${formatCount(entry.long.overInputTokens)} tokens in`
    return [row, ['', `  ${over}`, ...figures(entry.long.prices), '', '']]
  })
  const head = ['PROVIDER', 'MODEL', 'INPUT', 'CACHED', 'OUTPUT', 'FROM', 'SOURCE']
  context.stdout.write(
    `${table(head, rows, widthFor(context.stdout), [2, 3, 4])}\n\nUS dollars per million tokens. Version ${prices.version}.\n`,
  )
  return 0
}

/** Short: `--json` has the whole address. */
const sourceText = ({ url, read }: Source): string => `${URL.parse(url)?.host ?? url}, ${read}`

const namesOf = ({ model, also }: ListedPrice): string[] => [model, ...also]

/** A name, a part of one, or a provider. */
const matches = (entry: ListedPrice, wanted: string): boolean =>
  entry.provider === wanted || namesOf(entry).some((name) => name.toLowerCase().includes(wanted.toLowerCase()))

const figures = ({ input, cachedInput = input, output }: BucketPrices): string[] =>
  [input, cachedInput, output].map((price) => (price === undefined ? '' : formatUsd(price)))

const entryJson = ({ provider, model, also, validFrom, prices, long, file, origin }: ListedPrice): JsonObject => ({
  provider,
  model,
  also,
  validFrom: validFrom ?? null,
  nanoUsdPerMillion: pricesJson(prices),
  long:
    long === undefined ? null : { overInputTokens: long.overInputTokens, nanoUsdPerMillion: pricesJson(long.prices) },
  source: file ?? (origin === undefined ? null : { ...origin }),
})

const pricesJson = (prices: BucketPrices): Json =>
  Object.fromEntries(Object.entries(prices).map(([bucket, price]) => [bucket, price.toString()]))
