import { nearest } from '../base/nearest.ts'
import { refuse, Refusal } from '../base/errors.ts'
import type { LoadedConfig } from '../config/load.ts'
import { PROVIDERS } from '../config/providers.ts'
import { isRemote } from '../config/schema.ts'
import { type ConfigProblem, problemsText } from '../config/problem.ts'
import { loadCatalogue, type PriceCatalogue } from '../meter/catalogue.ts'

/** The prices that a configuration works with: the catalogue in the package, and the operator's
 *  own file over it. */

export type LoadPrices = (loaded: LoadedConfig) => Promise<PriceCatalogue | Refusal>

/** Whether the configuration says anything about prices that could be wrong. */
export const namesPrices = ({ config, prices }: LoadedConfig): boolean =>
  prices !== undefined || providersOf({ config }).length > 0

export function priceLoader(path: string, readFile: (path: string) => Promise<Uint8Array>): LoadPrices {
  return async (loaded) => {
    const prices = await loadCatalogue({ path, bytes: await readFile(path) }, loaded.prices)
    if (prices instanceof Refusal) return prices
    const problems = providersOf(loaded).flatMap(([engine, provider]): ConfigProblem[] => {
      if (prices.providers.has(provider) || Object.hasOwn(PROVIDERS, provider)) return []
      const near = nearest(provider, prices.providers)
      return [
        {
          path: ['engines', engine, 'provider'],
          value: JSON.stringify(provider),
          wrong: 'is no provider with known prices',
          remedy: `${near === undefined ? '' : `Did you mean "${near}"? `}Name one of ${[...prices.providers].join(', ')}, or price its models in the file that \`prices:\` names.`,
        },
      ]
    })
    if (problems.length === 0) return prices
    const { file } = loaded
    return refuse('config_invalid', { file, problems: problemsText(file, problems), list: problems })
  }
}

const providersOf = ({ config }: Pick<LoadedConfig, 'config'>): [engine: string, provider: string][] =>
  Object.entries(config.engines).flatMap(([name, engine]): [string, string][] =>
    isRemote(engine) && engine.provider !== undefined ? [[name, engine.provider]] : [],
  )
