/** Who serves models over OpenAI's interface, and in what each differs from it. Nothing else in the house
 *  knows their names. */

export interface Provider {
  /** Absent: it has no address that is the same for everybody. */
  readonly url?: string
  /** The header of the key, where it is no bearer token. */
  readonly keyHeader?: 'api-key'
  readonly outputCap?: 'max_completion_tokens'
  /** What it serves beside chat, embeddings and reranking. */
  readonly serves?: readonly ('moderations' | 'images' | 'audio')[]
  /** Fields of a chat that it refuses to be sent, and that can be done without. */
  readonly without?: readonly string[]
}

// A table: one line, one provider.
// oxfmt-ignore
export const PROVIDERS: { readonly [name: string]: Provider } = {
  // Hosted
  openai: { url: 'https://api.openai.com/v1', serves: ['moderations', 'images', 'audio'] },
  azure: { keyHeader: 'api-key', outputCap: 'max_completion_tokens', serves: ['images', 'audio'] },
  groq: { url: 'https://api.groq.com/openai/v1', serves: ['audio'], without: ['logprobs', 'top_logprobs', 'logit_bias'] },
  together: { url: 'https://api.together.xyz/v1', serves: ['images', 'audio'] },
  openrouter: { url: 'https://openrouter.ai/api/v1' },
  mistral: { url: 'https://api.mistral.ai/v1', serves: ['moderations'], without: ['stream_options', 'logprobs', 'top_logprobs', 'logit_bias', 'user', 'store', 'service_tier', 'safety_identifier', 'prompt_cache_key'] },
  google: { url: 'https://generativelanguage.googleapis.com/v1beta/openai' },
  // Servers of one's own: the port they listen on unless told otherwise
  vllm: { url: 'http://127.0.0.1:8000/v1' },
  sglang: { url: 'http://127.0.0.1:30000/v1' },
  tensorrtllm: { url: 'http://127.0.0.1:8000/v1' },
  tgi: { url: 'http://127.0.0.1:3000/v1', without: ['store', 'service_tier'] },
  llamacpp: { url: 'http://127.0.0.1:8080/v1' },
}

/** OpenAI's, where nobody is named. */
const UNNAMED = 'openai'

interface Engine {
  readonly url?: string | undefined
  readonly provider?: string | undefined
}

/** What is known of whoever serves it: by name, or because the address is his. */
export function providerOf({ url, provider }: Engine): Provider {
  if (provider !== undefined || url === undefined) return named(provider ?? UNNAMED)
  const host = URL.parse(url)?.host
  // Of servers of one's own every host has the same.
  const isHosted = ({ url: own = '' }: Provider): boolean => own.startsWith('https:') && URL.parse(own)?.host === host
  return Object.values(PROVIDERS).find(isHosted) ?? {}
}

const named = (name: string): Provider => (Object.hasOwn(PROVIDERS, name) ? (PROVIDERS[name] ?? {}) : {})

/** Where it is reached; undefined where neither it nor its provider says. */
export const urlOf = (engine: Engine): string | undefined => engine.url ?? providerOf(engine).url
