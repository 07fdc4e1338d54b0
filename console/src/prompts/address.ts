/** What the page of prompts shows, as its address says it. */

export const VIEWS = ['text', 'split', 'unified'] as const
export type View = (typeof VIEWS)[number]

export const SPANS = [7, 30, 90] as const
const DAYS_DEFAULT = 30

export interface Shown {
  /** Undefined: the list. */
  readonly prompt: string | undefined
  /** Undefined: the version before `to`. */
  readonly from: number | undefined
  /** Undefined: the newest. */
  readonly to: number | undefined
  readonly view: View
  /** Of what was used. */
  readonly days: number
}

export function shownAt(query: URLSearchParams): Shown {
  return {
    prompt: query.get('prompt') || undefined,
    from: versionOf(query.get('from')),
    to: versionOf(query.get('to')),
    view: VIEWS.find((view) => view === query.get('view')) ?? 'split',
    days: SPANS.find((days) => String(days) === query.get('days')) ?? DAYS_DEFAULT,
  }
}

const versionOf = (text: string | null): number | undefined =>
  text !== null && /^[1-9]\d{0,4}$/.test(text) ? Number(text) : undefined

/** The address of a page that shows this; what is usual is left out. */
export function addressOf({ prompt, from, to, view, days }: Shown): string {
  const query = new URLSearchParams()
  if (prompt !== undefined) query.set('prompt', prompt)
  if (from !== undefined) query.set('from', String(from))
  if (to !== undefined) query.set('to', String(to))
  if (view !== 'split') query.set('view', view)
  if (days !== DAYS_DEFAULT) query.set('days', String(days))
  const search = query.toString()
  return search === '' ? '/prompts' : `/prompts?${search}`
}
