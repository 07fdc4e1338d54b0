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

/** Dollars from a decimal string of nano-dollars: `$0.0012`, at least two significant digits. */
export function formatNanoUsd(nano: string): string {
  const usd = Number(nano) / 1e9
  if (usd === 0) return '$0'
  if (usd >= 1) return `$${usd.toFixed(2)}`
  const decimals = Math.min(9, Math.max(2, 1 - Math.floor(Math.log10(usd))))
  return `$${usd.toFixed(decimals)}`
}
