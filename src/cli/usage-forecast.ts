import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { formatCount, formatUsd } from '../base/units.ts'
import { numberOf, textOf } from './fields.ts'

/** A forecast in sentences: what was used, where it will end, and whether the limit holds. */
export function forecastText(forecast: JsonObject): string {
  const isMoney = textOf(forecast['unit']) === 'nanoUsd'
  const exact = (value: Json | undefined): string =>
    isMoney
      ? formatUsd(BigInt(Math.round(numberOf(value))))
      : `${formatCount(numberOf(value))} ${textOf(forecast['unit'])}`
  const about = (value: Json | undefined): string => exact(isMoney ? toCents(numberOf(value)) : value)
  const lines = [
    `This ${textOf(forecast['window'])}, from ${minute(forecast['from'])} to ${minute(forecast['to'])} (${textOf(forecast['timeZone'])}): ${exact(forecast['spent'])} so far.`,
  ]
  const hours = `${formatCount(numberOf(forecast['historyHours']))} hours of history`
  if (forecast['known'] !== true) {
    lines.push(`${hours} are too little to tell its end; it takes ${numberOf(forecast['historyHoursNeeded'])}.`)
    return `${lines.join('\n')}\n`
  }
  const total = objectOf(forecast['total'])
  lines.push(
    `At its end: ${about(total['p50'])}; in four of five cases ${about(total['p10'])} to ${about(total['p90'])} (n: ${hours}).`,
  )
  const crossing = forecast['passesLimit']
  if (isObject(crossing)) {
    const at = objectOf(crossing['at'])
    const times = (['p10', 'p50', 'p90'] as const).map((name) => `${name} ${minute(at[name]) || 'not in this window'}`)
    lines.push(
      `The limit of ${exact(forecast['limit'])} is passed with a probability of ${(numberOf(crossing['probability']) * 100).toFixed(1)} %; when: ${times.join(', ')}.`,
    )
  }
  return `${lines.join('\n')}\n`
}

const objectOf = (value: Json | undefined): JsonObject => (isObject(value) ? value : {})
const minute = (value: Json | undefined): string => textOf(value).slice(0, 16).replace('T', ' ')

const NANO_PER_CENT = 10_000_000
/** An estimate to the nano-dollar would only look exact; small amounts are left as they are. */
const toCents = (nanoUsd: number): number =>
  nanoUsd < NANO_PER_CENT ? nanoUsd : Math.round(nanoUsd / NANO_PER_CENT) * NANO_PER_CENT
