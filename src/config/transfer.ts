import type { LoadedConfig } from './load.ts'
import type { Config } from './schema.ts'
import { Secret } from './secret.ts'

/** The configuration in force on its way to another process of the house, which then works with the
 *  same one, whatever the file has become meanwhile. It holds the secrets as text: it may go through
 *  a pipe between two processes of one user, and nowhere else. */
export interface PackedConfig extends Omit<LoadedConfig, 'secrets' | 'adminKey' | 'contentKey'> {
  readonly secrets: readonly (readonly [reference: string, text: string])[]
}

/** The keys of the environment stay here: whoever uses them does so once. */
export function packConfig(loaded: LoadedConfig): PackedConfig {
  const { secrets, adminKey: _, contentKey: __, ...rest } = loaded
  return { ...rest, secrets: [...secrets].map(([reference, secret]) => [reference, secret.reveal()]) }
}

export const unpackConfig = ({ config, secrets, ...rest }: PackedConfig): LoadedConfig => ({
  ...rest,
  config: bare(config) as Config,
  secrets: new Map(secrets.map(([reference, text]) => [reference, new Secret(text)])),
})

/** A clone has lost what keeps a caller's "constructor" from being found: that named sections have
 *  no prototype, and that nothing can be changed. */
function bare(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Object.freeze(value.map(bare))
  const out = Object.create(null) as { [name: string]: unknown }
  for (const [name, part] of Object.entries(value)) out[name] = bare(part)
  return Object.freeze(out)
}
