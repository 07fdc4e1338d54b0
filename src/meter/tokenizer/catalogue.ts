import { isObject, type Json, type JsonObject } from '../../base/json.ts'

/** Which published encoding a provider's models have: data that comes with the program. */

export interface TokenizerEntry {
  readonly encoding: string
  readonly templateTokensMax?: number
  readonly imageTokensMax?: number
}

export interface TokenizerCatalogue {
  /** Undefined where nobody vouches for one. */
  entryOf(provider: string, model: string): TokenizerEntry | undefined
}

/** Throws where the file is not in order, which its own test tells of. */
export function readTokenizerCatalogue(file: Json): TokenizerCatalogue {
  const exact = new Map<string, TokenizerEntry>()
  const begins: { readonly key: string; readonly entry: TokenizerEntry }[] = []
  for (const row of list(isObject(file) ? file['tokenizers'] : undefined)) {
    if (!isObject(row)) throw new TypeError('an entry is no object')
    const entry = {
      encoding: text(row['encoding']),
      ...figure(row, 'templateTokensMax'),
      ...figure(row, 'imageTokensMax'),
    }
    for (const provider of list(row['providers']))
      for (const model of list(row['models'])) {
        const key = `${text(provider)}/${text(model)}`
        if (key.endsWith('*')) begins.push({ key: key.slice(0, -1), entry })
        else exact.set(key, entry)
      }
  }
  begins.sort((a, b) => b.key.length - a.key.length)
  return {
    entryOf(provider, model) {
      const key = `${provider}/${model}`
      return exact.get(key) ?? begins.find((one) => key.startsWith(one.key))?.entry
    },
  }
}

function list(value: Json | undefined): readonly Json[] {
  if (!Array.isArray(value)) throw new TypeError('a list is missing')
  return value as readonly Json[]
}

function text(value: Json | undefined): string {
  if (typeof value !== 'string' || value === '') throw new TypeError('a text is missing')
  return value
}

function figure(row: JsonObject, name: 'templateTokensMax' | 'imageTokensMax'): { readonly [name: string]: number } {
  const value = row[name]
  if (value === undefined) return {}
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) throw new TypeError(`${name} is no count`)
  return { [name]: value }
}
