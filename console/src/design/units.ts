/** Figures as all screens write them. */

/** `0.4 ms`, `38 ms`, `1.24 s`, `2 min 5 s`: three digits say enough. */
export function formatMs(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 9_995) return `${(ms / 1000).toFixed(2)} s`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

const count = new Intl.NumberFormat('en')

/** `12,345`. */
export const formatCount = (value: number): string => count.format(value)

/** `512 B`, `1.4 kB`: powers of ten. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 999_950) return `${(bytes / 1e3).toFixed(1)} kB`
  return `${(bytes / 1e6).toFixed(1)} MB`
}

const dollars = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })

/** Dollars from nano-dollars, a decimal string or a number: `$0.0012`, `$12,345.67`; at least two
 *  significant digits. */
export function formatNanoUsd(nano: string | number): string {
  const usd = Number(nano) / 1e9
  if (usd === 0) return '$0'
  if (usd < 0) return `-${formatNanoUsd(-Number(nano))}`
  if (usd >= 0.995) return `$${dollars.format(usd)}`
  const decimals = Math.min(9, Math.max(2, 1 - Math.floor(Math.log10(usd))))
  return `$${usd.toFixed(decimals)}`
}

/** `34 %`, `0.4 %`, `<0.1 %`: of 1. */
export function formatShare(share: number): string {
  const percent = share * 100
  if (percent === 0) return '0 %'
  if (percent < 0.1) return '<0.1 %'
  return `${percent < 9.95 ? percent.toFixed(1) : Math.round(percent)} %`
}

const LENGTHS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const

/** `3 d 4 h`, `12 min`, `8 s`: the two greatest units say enough. */
export function formatLength(ms: number): string {
  const first = LENGTHS.findIndex(([, length]) => ms >= length)
  if (first < 0) return '0 s'
  const [name, length] = LENGTHS[first] ?? ['s', 1000]
  const [nextName, nextLength] = LENGTHS[first + 1] ?? ['', 0]
  const rest = nextLength === 0 || first > 1 ? 0 : Math.floor((ms % length) / nextLength)
  return `${Math.floor(ms / length)} ${name}${rest > 0 ? ` ${rest} ${nextName}` : ''}`
}

/** `in 3 d 4 h`, `12 min ago`, `now`. */
export function formatRelative(atMs: number, nowMs: number): string {
  const ms = atMs - nowMs
  if (Math.abs(ms) < 1000) return 'now'
  return ms > 0 ? `in ${formatLength(ms)}` : `${formatLength(-ms)} ago`
}

const minute = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })
const minuteOfYear = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
})

/** `24 Nov, 03:00`, with the year where it is another one; in the browser's time zone. */
export function formatTime(atMs: number, nowMs: number): string {
  const sameYear = new Date(atMs).getFullYear() === new Date(nowMs).getFullYear()
  return (sameYear ? minute : minuteOfYear).format(atMs)
}
