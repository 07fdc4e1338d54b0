/** What a caller asks of caches (RFC 9111, section 5.2.1), as far as it is about answers. */
export interface CacheControl {
  readonly noStore: boolean
  readonly noCache: boolean
  readonly maxAgeMs: number
}

export function readCacheControl(header: string | undefined): CacheControl {
  const directives = (header ?? '').toLowerCase().split(',')
  const names = new Set(directives.map((one) => one.trim()))
  const ages = directives.map((one) => /^\s*max-age\s*=\s*"?(\d{1,9})"?\s*$/.exec(one)?.[1]).filter(Boolean)
  return {
    noStore: names.has('no-store'),
    noCache: names.has('no-cache'),
    maxAgeMs: Math.min(Infinity, ...ages.map((age) => Number(age) * 1000)),
  }
}
