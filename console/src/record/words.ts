import { isRecord, type Json } from '../api/shape.ts'

/** Everything that was recorded of an act, the reason first; what says nothing is left out. */
export function detailsText(details: Json): string {
  const { reason, ...rest } = details
  const parts = Object.entries(rest).flatMap(([name, value]) => {
    const text = valueText(value)
    return text === '' ? [] : [`${name} ${text}`]
  })
  const why = valueText(reason)
  return [...(why === '' ? [] : [`“${why}”`]), ...parts].join(' · ')
}

function valueText(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (Array.isArray(value)) return value.map(valueText).join(', ')
  if (isRecord(value))
    return Object.entries(value)
      .map(([name, one]) => `${name}: ${valueText(one)}`)
      .join(', ')
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}
