import { isObject, type JsonObject } from '../base/json.ts'
import type { Unit } from '../meter/ledger/amounts.ts'
import { amountText } from '../meter/shortage.ts'
import { listOf, numberOf, textOf } from './fields.ts'

/** Where a budget leads, in a sentence, from its burn-down; nothing where it has none. */
export function paceText(unit: Unit, { forecast, window }: JsonObject): string {
  if (!isObject(forecast)) return ''
  const history = `${numberOf(forecast['historyHours'])} hours of history`
  if (forecast['known'] !== true)
    return `Too little history to say where this ends: ${numberOf(forecast['historyHours'])} of the ${numberOf(forecast['historyHoursNeeded'])} hours that it takes.\n`
  const passes = isObject(forecast['passesLimit']) ? forecast['passesLimit'] : {}
  const at = isObject(passes['at']) ? passes['at'] : {}
  const spentAt = textOf(at['p50'])
  if (spentAt !== '') {
    const range = [at['p10'], at['p90']].map((time) => minute(textOf(time)) || 'not in this window').join(' and ')
    return `At this pace spent on ${minute(spentAt)} UTC; in four of five cases between ${range} (${history}).\n`
  }
  const end = listOf(forecast['path']).at(-1)
  const amounts = ['p50', 'p10', 'p90'].map((name) => amountText(unit, numberOf(end?.[name])))
  const until = isObject(window) ? minute(textOf(window['to'])) : ''
  return `At this pace ${amounts[0]} by ${until} UTC; in four of five cases ${amounts[1]} to ${amounts[2]} (${history}).\n`
}

const minute = (time: string): string => time.slice(0, 16).replace('T', ' ')
