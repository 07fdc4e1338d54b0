import { NAMES, type NameField } from '../api/traces.ts'
import type { Area } from './density.ts'

/** What the page of traces shows, as its address says it. */

export const SPANS = [1, 24, 168, 720] as const
const HOURS_DEFAULT = 24
const TEXT_UNITS_MAX = 500

export interface Shown {
  /** Undefined: the list. */
  readonly trace: string | undefined
  readonly hours: (typeof SPANS)[number]
  readonly status: 'ok' | 'error' | undefined
  readonly text: string
  readonly minMs: number | undefined
  readonly names: { readonly [Name in NameField]?: string }
  readonly brush: Area | undefined
}

export function shownAt(query: URLSearchParams): Shown {
  const status = query.get('status')
  const minMs = figureOf(query.get('minMs') ?? '')
  return {
    trace: query.get('trace') || undefined,
    hours: SPANS.find((hours) => String(hours) === query.get('hours')) ?? HOURS_DEFAULT,
    status: status === 'ok' || status === 'error' ? status : undefined,
    text: (query.get('text') ?? '').slice(0, TEXT_UNITS_MAX),
    minMs: minMs === 0 ? undefined : minMs,
    names: Object.fromEntries(NAMES.flatMap((name) => (query.get(name) ? [[name, query.get(name)]] : []))),
    brush: brushOf(query.get('brush') ?? ''),
  }
}

const figureOf = (text: string): number | undefined => (/^\d{1,15}(\.\d{1,6})?$/.test(text) ? Number(text) : undefined)

function brushOf(text: string): Area | undefined {
  const [fromMs, toMs, lowMs, highMs, ...more] = text.split('_').map(figureOf)
  if (fromMs === undefined || toMs === undefined || lowMs === undefined || highMs === undefined || more.length > 0)
    return undefined
  return fromMs < toMs && lowMs < highMs ? { fromMs, toMs, lowMs, highMs } : undefined
}

/** The address of a page that shows this; what is usual is left out. */
export function addressOf({ trace, hours, status, text, minMs, names, brush }: Shown): string {
  const query = new URLSearchParams()
  if (trace !== undefined) query.set('trace', trace)
  if (hours !== HOURS_DEFAULT) query.set('hours', String(hours))
  if (status !== undefined) query.set('status', status)
  if (text !== '') query.set('text', text)
  if (minMs !== undefined) query.set('minMs', String(minMs))
  for (const name of NAMES) if (names[name] !== undefined && names[name] !== '') query.set(name, names[name])
  if (brush !== undefined) query.set('brush', [brush.fromMs, brush.toMs, brush.lowMs, brush.highMs].join('_'))
  const search = query.toString()
  return search === '' ? '/traces' : `/traces?${search}`
}

/** The same as the server takes it. */
export function filterOf({ hours, status, text, minMs, names }: Shown, toMs: number): { [name: string]: string } {
  return {
    from: new Date(toMs - hours * 3_600_000).toISOString(),
    ...(status !== undefined && { status }),
    ...(text.trim() !== '' && { text: text.trim() }),
    ...(minMs !== undefined && { minMs: String(minMs) }),
    ...names,
  }
}
