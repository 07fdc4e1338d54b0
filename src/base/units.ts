/** Money is an integer of nano-USD (1e-9 USD) in a `bigint`; tokens and bytes are safe
 *  integers; durations are milliseconds. These print them for people. */

const NANO_PER_USD = 1_000_000_000n

/** `"2.5"` USD per million tokens as nano-USD per million tokens, exactly. Undefined where the
 *  text is no decimal number with at most nine places. */
export function parseUsd(text: string): bigint | undefined {
  const match = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text)
  if (match === null) return undefined
  return BigInt(match[1] ?? '0') * NANO_PER_USD + BigInt((match[2] ?? '').padEnd(9, '0'))
}

/** `$0.000123`: at least two decimals, at most nine, trailing zeros dropped. */
export function formatUsd(nanoUsd: bigint): string {
  const sign = nanoUsd < 0n ? '-' : ''
  const size = nanoUsd < 0n ? -nanoUsd : nanoUsd
  const fraction = (size % NANO_PER_USD)
    .toString()
    .padStart(9, '0')
    .replace(/0{1,7}$/, '')
  return `${sign}$${size / NANO_PER_USD}.${fraction}`
}

/** `0.4 ms`, `38 ms`, `1.2 s`, `3 min 5 s`. */
export function formatMs(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}

/** `512 B`, `1.4 kB`, `3.0 MB`: powers of ten, as disks and networks are sold. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  for (const [unit, size] of [
    ['kB', 1e3],
    ['MB', 1e6],
    ['GB', 1e9],
  ] as const) {
    if (bytes < size * 1000) return `${(bytes / size).toFixed(1)} ${unit}`
  }
  return `${(bytes / 1e12).toFixed(1)} TB`
}

/** `12,345`. */
export function formatCount(count: number): string {
  return count.toString().replace(/\B(?=(\d{3})+$)/g, ',')
}
