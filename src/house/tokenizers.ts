import { isAbsolute } from 'node:path'
import { reasonOf, refuse, type Refusal } from '../base/errors.ts'
import type { Json } from '../base/json.ts'
import type { LoadedConfig } from '../config/load.ts'
import { type ConfigProblem, problemsText } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { readTokenizer, UnreadTokenizer } from '../drivers/huggingface/tokenizer.ts'
import { isPublished, PublishedTokenizer } from '../drivers/tiktoken/tokenizer.ts'
import { readTokenizerCatalogue, type TokenizerCatalogue } from '../meter/tokenizer/catalogue.ts'
import { BYTES, TEMPLATE_TOKENS_MAX, type TextTokenizer, type Tokenizer } from '../meter/tokenizer/tokenizer.ts'

/** The tokenizers that a configuration works with: the files it names, and what the catalogue in the
 *  package says of its models. */

export type DeploymentConfig = Config['models'][string]['deployments'][number]

/** Undefined: bytes. `provider`: whose list prices apply, if anybody's. */
export type TokenizerOf = (deployment: DeploymentConfig, provider: string | undefined) => Tokenizer | undefined

export type LoadTokenizers = (loaded: LoadedConfig) => Promise<TokenizerOf | Refusal>

export interface TokenizerParts {
  /** Of the catalogue in the package. */
  readonly path: string
  readonly readFile: (path: string) => Promise<Uint8Array>
  /** Ranks that cannot be read: bytes are counted instead. */
  readonly onTrouble: (reason: string) => void
}

/** Whether the configuration says anything about tokenizers that could be wrong. */
export const namesTokenizers = ({ config }: LoadedConfig): boolean =>
  deploymentsOf(config).some(({ deployment: { tokenizer } }) => tokenizer !== undefined && isAbsolute(tokenizer))

/** Each tokenizer is made once for all that name it. */
export function tokenizerLoader({ path, readFile, onTrouble }: TokenizerParts): LoadTokenizers {
  const published = new Map<string, TextTokenizer>()
  let catalogue: TokenizerCatalogue | undefined
  return async (loaded) => {
    catalogue ??= readTokenizerCatalogue(JSON.parse(new TextDecoder().decode(await readFile(path))) as Json)
    const known = catalogue
    const files = new Map<string, TextTokenizer | UnreadTokenizer>()
    const problems: ConfigProblem[] = []
    for (const { model, at, deployment } of deploymentsOf(loaded.config)) {
      const name = deployment.tokenizer
      if (name === undefined || !isAbsolute(name)) continue
      const read = files.get(name) ?? (await readFrom(name, readFile))
      files.set(name, read)
      if (read instanceof UnreadTokenizer) {
        const { wrong, remedy } = read
        problems.push({
          path: ['models', model, 'deployments', at, 'tokenizer'],
          value: JSON.stringify(name),
          wrong,
          remedy,
        })
      }
    }
    if (problems.length > 0) {
      const { file } = loaded
      return refuse('config_invalid', { file, problems: problemsText(file, problems), list: problems })
    }
    return (deployment, provider) => {
      const { tokenizer: named, templateTokensMax, imageTokensMax } = deployment
      const entry = provider === undefined ? undefined : known.entryOf(provider, deployment.model)
      const texts = named === 'bytes' ? undefined : textsOf(named ?? entry?.encoding)
      if (texts === undefined && templateTokensMax === undefined && imageTokensMax === undefined) return undefined
      const image = imageTokensMax ?? entry?.imageTokensMax
      const counting = texts ?? BYTES
      return {
        name: counting.name,
        count: (text) => counting.count(text),
        countMax: (text) => counting.countMax(text),
        spacesMax: (length) => counting.spacesMax(length),
        templateTokensMax: templateTokensMax ?? entry?.templateTokensMax ?? TEMPLATE_TOKENS_MAX,
        ...(image === undefined ? {} : { imageTokensMax: image }),
      }
    }

    function textsOf(name: string | undefined): TextTokenizer | undefined {
      if (name === undefined) return undefined
      const read = files.get(name) ?? published.get(name)
      if (read !== undefined) return read instanceof UnreadTokenizer ? undefined : read
      if (!isPublished(name)) return undefined
      const made = new PublishedTokenizer(name, onTrouble)
      published.set(name, made)
      return made
    }
  }
}

async function readFrom(path: string, readFile: TokenizerParts['readFile']): Promise<TextTokenizer | UnreadTokenizer> {
  try {
    return readTokenizer(path, await readFile(path))
  } catch (cause) {
    return new UnreadTokenizer(
      `names a file that cannot be read: ${reasonOf(cause)}`,
      'Correct the path, or leave it out.',
    )
  }
}

const deploymentsOf = ({ models }: Config) =>
  Object.entries(models).flatMap(([model, { deployments }]) =>
    deployments.map((deployment, at) => ({ model, at, deployment })),
  )
