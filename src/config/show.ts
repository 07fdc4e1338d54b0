import { stringify } from 'yaml'
import type { Config } from './schema.ts'

/** The configuration as plain JSON in the form of the file: prices as decimal dollars, secrets
 *  as their references. Loading it again gives the same configuration. */
export function toDocument(config: Config): { readonly [name: string]: unknown } {
  return plain(config) as { readonly [name: string]: unknown }
}

export const toYaml = (config: Config): string => stringify(toDocument(config), { lineWidth: 0 })

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) =>
      typeof part === 'bigint' ? [name.replace(/NanoUsd$/, 'Usd'), decimal(part)] : [name, plain(part)],
    ),
  )
}

function decimal(nanoUsd: bigint): string {
  const fraction = (nanoUsd % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '')
  return `${nanoUsd / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`
}
