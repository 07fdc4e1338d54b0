/** Reading JSON whose shape is not trusted: a field of the wrong kind is an absent field. */

export type Json = { readonly [name: string]: unknown }

export const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

export const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

/** The elements `read` makes something of; none when there is no list. */
export function listOf<T>(value: unknown, read: (element: unknown) => T | undefined): T[] {
  if (!Array.isArray(value)) return []
  return value.map(read).filter((element) => element !== undefined)
}

/** An ISO 8601 time in milliseconds since 1970. */
export function timeOf(value: unknown): number | undefined {
  const atMs = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(atMs) ? undefined : atMs
}
