import * as z from 'zod'
import { parseUsd } from '../base/units.ts'
import { GATEWAYS_MAX, MODEL_NAME, PLAIN_NAME } from './forms.ts'
import { INGEST } from './ingest.ts'
import { integer, meta, MS_MAX, named, secret, SECRET_REMEDY, text, wrong } from './scalars.ts'
import { isReference } from './secret.ts'
import { findTwin, SOURCE } from './sources.ts'

/** The one schema of `headworks.yaml`: types, validation, the reference page and the editor's
 *  JSON schema all come from here. `reload` says what a change needs: `live` is applied to the
 *  running process, `restart` waits for the next start. A field without one has its parent's. */

const USD_REMEDY =
  'Write US dollars per million tokens, such as "0.15": at most six digits before the point and nine after it.'

/** Beyond a million dollars per million tokens it is a slip; below, a YAML number is exact. */
const usd = z.union([z.string(), z.number()]).transform((value, context) => {
  const nanoUsd = parseUsd(String(value))
  if (nanoUsd !== undefined && nanoUsd < 1_000_000_000_000_000n) return nanoUsd
  context.issues.push(wrong('is no price', USD_REMEDY, value))
  return z.NEVER
})

const address = z.string().check((context) => {
  if (/^unix:\/[^\s]{1,100}$/.test(context.value)) return
  const found = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(context.value)
  if (found !== null && Number(found[3]) <= 65_535) return
  context.issues.push(
    wrong(
      'is no address',
      'Write host:port, such as 127.0.0.1:4750, 0.0.0.0:4750 or [::1]:4750, or unix:/path of a socket.',
      context.value,
    ),
  )
})

const webhookUrl = z.string().check((context) => {
  const url = URL.parse(context.value)
  const say = (message: string, remedy: string): void => void context.issues.push(wrong(message, remedy, context.value))
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || context.value.length > 2048)
    return say(
      'is no http or https URL',
      'Write the address that takes the messages, such as https://ops.example/hook.',
    )
  if (url.username !== '' || url.password !== '')
    return say('carries a user name or password', 'Take it out of the URL; sign the messages with `secret` instead.')
  if (url.hash !== '') say('has a fragment', 'End the URL before the #.')
})

const engineUrl = z.string().check((context) => {
  const url = URL.parse(context.value)
  const say = (message: string, remedy: string): void => void context.issues.push(wrong(message, remedy, context.value))
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return say(
      'is no http or https URL',
      "Write the base of the server's OpenAI interface, such as http://127.0.0.1:8000/v1.",
    )
  }
  if (url.username !== '' || url.password !== '')
    return say('carries a user name or password', 'Take it out of the URL; use `key` or `headers` with env:NAME.')
  if (url.search !== '' || url.hash !== '') return say('has a query or a fragment', 'End the URL with its path.')
})

/** A published encoding, or a file. */
export const ENCODINGS = ['o200k_base', 'cl100k_base', 'o200k_harmony', 'bytes'] as const

const tokenizer = text(4096).check((context) => {
  if ((ENCODINGS as readonly string[]).includes(context.value) || /\.json$/i.test(context.value)) return
  context.issues.push(
    wrong(
      'is no encoding and no path of a tokenizer.json',
      `Write one of ${ENCODINGS.join(', ')}, or a path such as ./qwen3/tokenizer.json.`,
      context.value,
    ),
  )
})

/** Headers that say who is calling. */
const CREDENTIAL_HEADER = /auth|key|token|secret|cookie|password|credential/i
/** Set by the client for each request, or by the connection. */
const OWN_HEADERS = new Set([
  'host',
  'content-length',
  'content-type',
  'transfer-encoding',
  'connection',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'accept-encoding',
])

const headers = z.record(z.string(), z.string()).check((context) => {
  for (const [name, value] of Object.entries(context.value)) {
    const say = (message: string, remedy: string): void =>
      void context.issues.push({ ...wrong(message, remedy, value), path: [name] })
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/.test(name)) say('is no name of a header', 'Use letters, digits and "-".')
    else if (OWN_HEADERS.has(name.toLowerCase())) say('is set by Headworks itself', 'Take it out.')
    else if (isReference(value)) continue
    else if (CREDENTIAL_HEADER.test(name)) say('is a literal secret', SECRET_REMEDY)
    else if (!/^[\t\x20-\x7e]{0,1024}$/.test(value))
      say('is no value of a header', 'Use printable ASCII on one line, at most 1,024 characters.')
  }
})

// Sections

const ENGINE_TLS = z.strictObject({
  authority: text(4096)
    .meta(meta('PEM file of who vouches for the server, instead of those that everybody knows.', { shown: 'path' }))
    .optional(),
  certificate: text(4096)
    .meta(meta('PEM file of the certificate that is shown to it, where it asks for one (mTLS).', { shown: 'path' }))
    .optional(),
  key: text(4096)
    .meta(meta('PEM file of its private key.', { shown: 'path' }))
    .optional(),
})

const OPENAI = z.strictObject({
  kind: z
    .literal('openai')
    .meta(meta('An OpenAI-compatible server: vLLM, SGLang, Ollama, llama.cpp, LM Studio, OpenAI and others.')),
  url: engineUrl
    .default('https://api.openai.com/v1')
    .meta(
      meta(
        "Base URL of its interface, with the version: `http://127.0.0.1:11434/v1` for Ollama, `http://127.0.0.1:8000/v1` for vLLM. Without it, OpenAI's own.",
        { shown: 'URL' },
      ),
    ),
  key: secret
    .meta(
      meta('Key sent as `Authorization: Bearer`. Only as a reference: `env:NAME` or `file:PATH`.', {
        shown: 'secret reference',
        hidden: true,
      }),
    )
    .optional(),
  headers: headers
    .meta(
      meta('More headers to send with every request. Values that are secrets must be references.', {
        shown: 'header name → text or secret reference',
        hidden: true,
      }),
    )
    .optional(),
  socket: text(100)
    .meta(
      meta('Path of a Unix socket on which it listens; the host of `url` is then only what it is told.', {
        shown: 'path',
      }),
    )
    .optional(),
  tls: ENGINE_TLS.meta(
    meta('How the two make sure of each other over https. Files are read when the configuration is.', {}),
  ).optional(),
  provider: text(64)
    .meta(
      meta(
        "Whose list prices apply to models without a `price`: `openai`, `anthropic`, `google`, `mistral`, `groq`, `together`, or a provider of your own price file. Without it none do, except at OpenAI's own URL.",
      ),
    )
    .optional(),
  outputCap: z
    .enum(['max_tokens', 'max_completion_tokens'])
    .default('max_tokens')
    .meta(meta("What it calls the cap on output tokens. OpenAI's reasoning models know only `max_completion_tokens`.")),
  models: z
    .array(text(256))
    .max(1000)
    .meta(meta('Names it serves, for a server that cannot list them itself.'))
    .optional(),
  serves: z
    .array(z.enum(['moderations', 'images', 'audio']))
    .max(3)
    .meta(
      meta(
        "What it serves beside chat, embeddings and reranking; requests are passed through as they are. Without it nothing, except at OpenAI's own URL.",
      ),
    )
    .optional(),
  passthrough: z
    .array(z.string().regex(/^\/[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/))
    .max(100)
    .default([])
    .meta(
      meta(
        'Further paths below `url` that callers may POST to under `/v1`, with the `model` in the body: `/score` is served at `/v1/score`.',
        { shown: 'list of paths' },
      ),
    ),
})

const ANTHROPIC = z.strictObject({
  kind: z.literal('anthropic').meta(meta("Anthropic's Messages API, there or at a server that speaks it.")),
  url: engineUrl
    .default('https://api.anthropic.com/v1')
    .meta(meta("Base URL of its interface, with the version. Without it, Anthropic's own.", { shown: 'URL' })),
  key: secret
    .meta(
      meta('Key sent as `x-api-key`. Only as a reference: `env:NAME` or `file:PATH`.', {
        shown: 'secret reference',
        hidden: true,
      }),
    )
    .optional(),
  headers: headers
    .meta(
      meta(
        'More headers to send with every request, such as `anthropic-beta`. Values that are secrets must be references.',
        {
          shown: 'header name → text or secret reference',
          hidden: true,
        },
      ),
    )
    .optional(),
  provider: text(64)
    .default('anthropic')
    .meta(meta('Whose list prices apply to models without a `price`, as for `openai`.')),
})

/** A server of embeddings with an interface of its own. */
const embeddingServer = <Kind extends string>(kind: Kind, what: string, url: string) =>
  z.strictObject({
    kind: z.literal(kind).meta(meta(what)),
    url: engineUrl.meta(meta(`Where it listens, without a path: \`${url}\`.`, { shown: 'URL' })),
    key: secret
      .meta(
        meta('Key sent as `Authorization: Bearer`. Only as a reference: `env:NAME` or `file:PATH`.', {
          shown: 'secret reference',
          hidden: true,
        }),
      )
      .optional(),
    headers: headers
      .meta(
        meta('More headers to send with every request. Values that are secrets must be references.', {
          shown: 'header name → text or secret reference',
          hidden: true,
        }),
      )
      .optional(),
    provider: text(64).meta(meta('Whose list prices apply to models without a `price`, as for `openai`.')).optional(),
  })

const TEI = embeddingServer(
  'tei',
  "Hugging Face's Text Embeddings Inference, for embeddings and reranking: it says which weights it runs.",
  'http://127.0.0.1:8080',
)
const OLLAMA = embeddingServer(
  'ollama',
  'Ollama by its own interface, for embeddings: it says which weights it runs. For chat, `openai` with its `/v1`.',
  'http://127.0.0.1:11434',
)

const ONNX = z.strictObject({
  kind: z
    .literal('onnx')
    .meta(
      meta(
        'A model for embeddings from a local folder, run by ONNX Runtime in this process. Needs the package `onnxruntime-node`, which you install.',
      ),
    ),
  folder: text(4096).meta(
    meta(
      'A model in the Hugging Face layout: `tokenizer.json`, and `model.onnx` or `onnx/model.onnx`. A relative path starts at the folder of this file.',
      { shown: 'path' },
    ),
  ),
  pooling: z
    .enum(['mean', 'cls'])
    .meta(
      meta(
        "How one vector is made of those of the tokens. Without it what the folder's `1_Pooling/config.json` says, else `mean`.",
      ),
    )
    .optional(),
  threads: integer(1, 64).default(1).meta(meta('Cores that one pass may use.')),
  runtime: text(4096)
    .meta(meta('Where the package `onnxruntime-node` is, if not beside this file.', { shown: 'path' }))
    .optional(),
})

const READER = z.strictObject({
  kind: z
    .literal('reader')
    .meta(
      meta(
        'The embedded extractive reader: answers with the sentences of the sources that best answer the question. Needs no model weights.',
      ),
    ),
})

const LEXICAL = z.strictObject({
  kind: z
    .literal('lexical')
    .meta(
      meta(
        'The embedded lexical scorer: ranks passages by the words they share with the question. Needs no model weights.',
      ),
    ),
})

const bucketUsd = (which: string) =>
  usd.meta(meta(`US dollars per million input tokens ${which}`, { shown: 'decimal' })).optional()

const PRICE = z
  .strictObject({
    inputUsd: usd.meta(meta('US dollars per million input tokens.', { shown: 'decimal' })),
    cachedInputUsd: usd
      .meta(
        meta('US dollars per million input tokens that the engine had cached. Without it, as `inputUsd`.', {
          shown: 'decimal',
        }),
      )
      .optional(),
    cacheWrite5mUsd: bucketUsd('that the engine writes to its cache for five minutes. Without it, as `inputUsd`.'),
    cacheWrite1hUsd: bucketUsd('that it writes to its cache for an hour. Without it, as `cacheWrite5mUsd`.'),
    audioInputUsd: bucketUsd('of sound. Without it, as `inputUsd`.'),
    imageInputUsd: bucketUsd('of pictures. Without it, as `inputUsd`.'),
    outputUsd: usd.meta(meta('US dollars per million output tokens, reasoning included.', { shown: 'decimal' })),
    audioOutputUsd: usd
      .meta(meta('US dollars per million output tokens of sound. Without it, as `outputUsd`.', { shown: 'decimal' }))
      .optional(),
    unitUsd: usd
      .meta(
        meta(
          'US dollars for each unit of what is passed through and not counted in tokens: a picture that is made, or a request of sound, moderation or another path. Without it their cost is unknown.',
          { shown: 'decimal' },
        ),
      )
      .optional(),
  })
  .transform(({ inputUsd, cachedInputUsd, outputUsd, ...others }) => ({
    inputNanoUsd: inputUsd,
    cachedInputNanoUsd: cachedInputUsd ?? inputUsd,
    ...(others.cacheWrite5mUsd === undefined ? {} : { cacheWrite5mNanoUsd: others.cacheWrite5mUsd }),
    ...(others.cacheWrite1hUsd === undefined ? {} : { cacheWrite1hNanoUsd: others.cacheWrite1hUsd }),
    ...(others.audioInputUsd === undefined ? {} : { audioInputNanoUsd: others.audioInputUsd }),
    ...(others.imageInputUsd === undefined ? {} : { imageInputNanoUsd: others.imageInputUsd }),
    outputNanoUsd: outputUsd,
    ...(others.audioOutputUsd === undefined ? {} : { audioOutputNanoUsd: others.audioOutputUsd }),
    ...(others.unitUsd === undefined ? {} : { unitNanoUsd: others.unitUsd }),
  }))

const DEPLOYMENT = z.strictObject({
  engine: z.string().meta(meta('Name of an engine.')),
  model: text(256).meta(meta('What the engine calls the model.')),
  weight: integer(0, 1000)
    .default(1)
    .meta(meta('Share of the load, relative to the other deployments. 0: only after the others have failed.')),
  label: text(64).meta(meta('A word of your own, such as `canary`.')).optional(),
  price: PRICE.meta(
    meta(
      'What its tokens cost, in US dollars per million. Without it costs are unknown, which is not the same as free.',
    ),
  ).optional(),
  tokenizer: tokenizer
    .meta(
      meta(
        "What counts its input before a call: `o200k_base`, `cl100k_base` or `o200k_harmony`, the path of the model's `tokenizer.json`, or `bytes`. A relative path starts at the folder of this file. Without it, what its provider documents for the model, else bytes.",
        { shown: 'encoding or path' },
      ),
    )
    .optional(),
  templateTokensMax: integer(1, 100_000)
    .meta(
      meta(
        'Tokens its chat template adds to a request by itself, at most: a system prompt of its own, say. Without it, what its provider is known for, else 512.',
      ),
    )
    .optional(),
  imageTokensMax: integer(1, 1_000_000)
    .meta(
      meta(
        'Tokens of one picture, at most. Without it, what its provider documents; where nothing is known, a budget that must hold refuses pictures.',
      ),
    )
    .optional(),
})

const TIMEOUTS = z.strictObject({
  connectMs: integer(1, MS_MAX).default(3_000).meta(meta('To connect to the engine, in milliseconds.')),
  firstTokenMs: integer(1, MS_MAX)
    .default(60_000)
    .meta(meta('From sending the request to the first content, in milliseconds.')),
  betweenTokensMs: integer(1, MS_MAX)
    .default(30_000)
    .meta(meta('Between two pieces of a streamed answer, in milliseconds.')),
  totalMs: integer(1, MS_MAX)
    .default(600_000)
    .meta(meta('For the whole answer, all attempts together, in milliseconds.')),
})

const CACHE = z.strictObject({
  ttlMs: integer(1, 30 * 24 * MS_MAX).meta(meta('How long an answer is given again, in milliseconds.')),
  scope: z
    .enum(['key', 'tenant', 'user'])
    .default('key')
    .meta(
      meta(
        'Who shares answers. `key`: all requests of one key. `tenant`: all keys of one tenant. `user`: one user of one key.',
      ),
    ),
  tools: z
    .boolean()
    .default(false)
    .meta(meta('Also requests that offer tools: a call that is given again may be carried out again by the caller.')),
})

const ADMISSION = z.strictObject({
  inFlightMax: integer(1, 100_000)
    .default(1_000)
    .meta(meta('Calls at the same time, at most, whatever the engines seem to take.')),
  queueMax: integer(0, 100_000).default(200).meta(meta('Requests that wait for a place, at most.')),
  queueMs: integer(1, MS_MAX).default(1_000).meta(meta('How long one waits for a place, at most, in milliseconds.')),
})

const MODEL = z.strictObject({
  deployments: z
    .array(DEPLOYMENT)
    .min(1)
    .max(64)
    .meta(meta('Where it runs. Several share the load, as `routing` says, and stand in for each other.')),
  fallback: z
    .array(z.string())
    .max(16)
    .default([])
    .meta(
      meta(
        'Models tried in this order when every deployment has failed before its first content: names under `models`, or `engine/model` for one without a name of its own.',
      ),
    ),
  routing: z
    .enum(['weighted', 'priority', 'least_outstanding', 'p2c', 'cheapest'])
    .default('weighted')
    .meta(
      meta(
        'Which deployment is tried first. `weighted`: drawn by weight. `priority`: as they stand here. `least_outstanding`: the one with the fewest tokens in flight for its weight. `p2c`: the better of two drawn by weight, likewise. `cheapest`: where the request can cost least; unknown prices last. Deployments whose circuit is open are left out.',
      ),
    ),
  outputTokensMax: integer(1, 1_000_000)
    .default(4_096)
    .meta(meta('Cap on the tokens of one answer. It is always sent to the engine; a caller may ask for less.')),
  timeouts: TIMEOUTS.prefault({}).meta(meta('How long to wait, phase by phase.')),
  admission: ADMISSION.meta(
    meta(
      'Calls as many at the same time as its engines take without making them wait, which is found out by their answers; the rest waits here, interactive requests before batch ones and tenants in turn, or is refused at once. Without it every request is called at once.',
    ),
  ).optional(),
  cache: CACHE.meta(
    meta(
      'Gives the same chat completion again to the very same question, at no cost. Without it every question is asked anew.',
    ),
  ).optional(),
  description: text(1000).meta(meta('Shown in `GET /v1/models`.')).optional(),
})

const COLLECTION = z.strictObject({
  sources: z
    .array(SOURCE)
    .max(100)
    .check((context) => {
      const at = findTwin(context.value)
      if (at === undefined) return
      const issue = wrong('has the kind and the name of another', 'Give one of the two another `name`.', undefined)
      context.issues.push({ ...issue, path: [at] })
    })
    .default([])
    .meta(
      meta(
        'Where its documents come from. Everything is read at every start, and what has not changed is skipped; streams are listened to. `headworks ingest` adds more.',
      ),
    ),
  tenant: text(256)
    .meta(
      meta(
        'The tenant it belongs to: for keys of other tenants, and of none, it is not there. Without it everybody may search it, and documents with a `tenant` of their own answer that one alone.',
      ),
    )
    .optional(),
  recallSample: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .meta(meta('Share of live vector queries that are asked again by looking at every vector, to measure recall.')),
  targets: z
    .strictObject({
      recallAt10: z
        .number()
        .min(0.5)
        .max(0.999)
        .default(0.95)
        .meta(
          meta(
            'Of the ten nearest passages, the share that searches by vector shall find. They spend what it takes by what was measured of the index, more where live searches show that it is not enough, and an alert is raised where it still is not.',
          ),
        ),
      searchP95Ms: integer(1, MS_MAX)
        .default(50)
        .meta(meta('What 95 of 100 searches shall take at most, in milliseconds; shown beside what they take.')),
      freshnessMs: integer(100, MS_MAX)
        .default(2_000)
        .meta(meta('How soon a change shall be found, in milliseconds; shown beside how long it takes.')),
    })
    .prefault({})
    .meta(meta('What searching it shall reach.')),
  embedding: text(127)
    .default('lsa')
    .meta(
      meta(
        'What makes vectors of its passages: the name of a model under `models` that serves embeddings; `lsa`: directions fitted on its own texts, which need no weights and are no learned embeddings; `none`: it is searched by words alone.',
      ),
    ),
  passagePrefix: z
    .string()
    .max(1000)
    .meta(meta('Put before every passage that is embedded, where the model was trained so: `passage: ` for E5.'))
    .optional(),
  questionPrefix: z
    .string()
    .max(1000)
    .meta(meta('Put before every question that is embedded, likewise: `query: ` for E5.'))
    .optional(),
  context: text(127)
    .default('none')
    .meta(
      meta(
        'Name of a chat model that writes one sentence for every passage, about where in its document it stands; it is searched with the passage. One call for each passage that is new. `none`: nobody does.',
      ),
    ),
  description: text(1000).meta(meta('Shown where collections are listed.')).optional(),
})

const POLICY = z.strictObject({
  tools: z
    .enum(['none', 'caller'])
    .default('none')
    .meta(
      meta(
        'Tools the model may call. `none`: it is offered none, and calls that it makes all the same are dropped. `caller`: those of the request.',
      ),
    ),
  links: z
    .enum(['sources', 'any', 'none'])
    .default('sources')
    .meta(
      meta(
        'Where an answer may lead. `sources`: links that stand in the passages letter for letter, and no pictures. `any`: anywhere, which lets a poisoned document carry a conversation away. `none`: nowhere.',
      ),
    ),
  hosts: z
    .array(z.string().regex(/^[a-z0-9.-]+(?::\d{1,5})?$/))
    .max(100)
    .default([])
    .meta(meta('Hosts that `sources` also lets answers link to and show pictures of, such as `docs.example.com`.')),
})

const WORKFLOW = z.strictObject({
  collection: z.string().meta(meta('Name of the collection it searches.')),
  topK: integer(1, 100).default(8).meta(meta('Passages to find.')),
  rewrite: z
    .string()
    .default('terms')
    .meta(
      meta(
        'How the last question of a conversation is made to stand alone before the search. `terms`: a question that points back takes along the topical words of those before it (English). The name of a model: it writes the question again. `none`: searched as it stands.',
      ),
    ),
  rerank: z
    .string()
    .default('none')
    .meta(meta('Name of a model that puts the passages found into a better order, or `none`.')),
  model: z.string().default('reader').meta(meta('Name of the model that answers from the passages.')),
  contextTokensMax: integer(100, 1_000_000)
    .default(4_000)
    .meta(
      meta(
        'Tokens of passages given to the model, at most, marks included: by its tokenizer where that is known, else four bytes a token.',
      ),
    ),
  instructions: text(20_000)
    .meta(
      meta(
        'Your own instructions to the model, in place of the built-in ones. How its sources are marked is added to them.',
      ),
    )
    .optional(),
  spotlight: z
    .enum(['delimit', 'datamark'])
    .default('delimit')
    .meta(
      meta(
        'How sources are kept apart from instructions. `delimit`: between marks that are new for every request. `datamark`: also, every space in them is replaced by a character chosen for the request.',
      ),
    ),
  evidenceMin: z
    .number()
    .min(0)
    .max(1)
    .default(0.3)
    .meta(
      meta(
        "Share of the question's words that one of the passages must hold for the model to be asked; below it the answer is that the sources do not hold one. Where a passage was found by its vector, the model is asked all the same. 0: always.",
      ),
    ),
  groundedness: z
    .string()
    .default('lexical')
    .meta(
      meta(
        'What judges how many sentences of an answer rest on the passages they cite. `lexical`: their words, numbers and negations. The name of a model: it is asked. `none`: no score.',
      ),
    ),
  policy: POLICY.prefault({}).meta(meta('What an answer may do beside being read.')),
  description: text(1000).meta(meta('Shown in `GET /v1/models`.')).optional(),
})

/** What requests count for, and can be limited by. */
const BUDGET_SCOPES = ['request', 'key', 'user', 'team', 'workflow', 'model', 'tag', 'tenant', 'global'] as const

const tokens = () => integer(1, AMOUNT_MAX)
/** In tokens and in nano-USD; beyond it sums would not be exact. */
const AMOUNT_MAX = 9_000_000_000_000_000

const money = z.union([z.string(), z.number()]).transform((value, context) => {
  const nanoUsd = parseUsd(String(value))
  if (nanoUsd !== undefined && nanoUsd > 0n && nanoUsd <= BigInt(AMOUNT_MAX)) return nanoUsd
  context.issues.push(
    wrong('is no limit in US dollars', 'Write an amount above 0 and up to 9000000, such as 50 or "0.25".', value),
  )
  return z.NEVER
})

/** `24h`, `30d`: a window that moves with time. */
const ROLLING = /^[1-9]\d{0,4}(?:s|m|h|d)$/
const CALENDAR = ['minute', 'hour', 'day', 'week', 'month'] as const

const window = z.string().check((context) => {
  const { value } = context
  if (['request', 'lifetime', ...CALENDAR].includes(value) || ROLLING.test(value)) return
  context.issues.push(
    wrong(
      'is no window of time',
      `Write request, ${CALENDAR.join(', ')} or lifetime; or a span that moves with time, such as 24h or 30d.`,
      value,
    ),
  )
})

const scopeField = z
  .enum(BUDGET_SCOPES)
  .meta(meta('Whose use it limits. `request`: that of each request alone; `global`: that of all together.'))
const matchField = text(256)
  .meta(
    meta(
      'Which one is meant, by name; for keys the id. `*`, as without it: each one by itself, with a limit of its own.',
    ),
  )
  .optional()
const idField = z
  .string()
  .regex(MODEL_NAME)
  .meta(
    meta(
      'A name of your own, shown in errors, headers and reports. What was used is kept under it: a budget with another name begins anew. Without it one is made of scope, match, window and unit.',
    ),
  )
  .optional()

const BUDGET = z.strictObject({
  id: idField,
  scope: scopeField,
  match: matchField,
  limit: z
    .strictObject({
      tokens: tokens().meta(meta('Input and output together.')).optional(),
      inputTokens: tokens().meta(meta('Tokens read.')).optional(),
      outputTokens: tokens().meta(meta('Tokens written, reasoning included.')).optional(),
      usd: money
        .meta(meta('US dollars. Deployments without a price are then refused.', { shown: 'decimal' }))
        .optional(),
      requests: tokens().meta(meta('Requests that were let in.')).optional(),
    })
    .meta(meta('How much may be used. Several units are several budgets.')),
  window: window
    .meta(
      meta(
        'Over which time: a calendar `minute`, `hour`, `day`, `week` (from Monday) or `month` in `timeZone`; a span that moves with time, such as `24h` or `30d`; `lifetime`; or each `request`. Needed unless the scope is `request`.',
        { shown: 'window' },
      ),
    )
    .optional(),
  timeZone: text(64)
    .default('UTC')
    .meta(meta('Where the calendar is read: a name of the IANA database, such as `Europe/Berlin`.')),
  onLimit: z
    .union([
      z.enum(['refuse', 'warn', 'dryRun']),
      z.strictObject({
        clamp: z
          .strictObject({
            outputTokensMin: integer(1, 1_000_000).meta(meta('The least output that is worth a call.')),
          })
          .meta(meta('Lower the cap on output to what is left.')),
      }),
      z.strictObject({
        degradeTo: z.string().meta(meta('Name of the model to call instead, as long as it can be afforded.')),
      }),
    ])
    .meta(
      meta(
        'What happens to a request that cannot be afforded. `refuse`; `warn`: it passes, and its answer says so; `dryRun`: it passes, and only the log says so; `{ clamp: { outputTokensMin: 64 } }`: its output is made shorter; `{ degradeTo: small }`: a cheaper model answers. Default: `refuse`, and for the scope `request` a clamp to what is left.',
        { shown: 'action' },
      ),
    )
    .optional(),
  warnAt: z
    .array(z.number().gt(0).lt(1))
    .max(10)
    .default([])
    .meta(meta('Shares of the limit at which an alert is raised, such as [0.5, 0.8].', { shown: 'list of shares' })),
})

/** Budgets that a key carries itself. */
export const OWN_BUDGETS = z.array(BUDGET.omit({ id: true, scope: true, match: true })).max(8)

const RATE_LIMIT = z.strictObject({
  id: idField,
  scope: z.enum(BUDGET_SCOPES).exclude(['request']).meta(meta('Whose requests it slows down. `global`: all together.')),
  match: matchField,
  limit: z
    .strictObject({
      requests: tokens().meta(meta('Requests let in per `per`.')).optional(),
      tokens: tokens().meta(meta('Input and output together, per `per`.')).optional(),
      concurrent: tokens()
        .meta(meta('Requests being answered at the same time; `per` has no meaning for it.'))
        .optional(),
    })
    .meta(meta('How fast.')),
  per: z
    .enum(['second', 'minute', 'hour', 'day'])
    .default('minute')
    .meta(meta('Any span of this length, not the calendar.')),
  onLimit: z.enum(['refuse', 'warn', 'dryRun']).default('refuse').meta(meta('As for budgets.')),
})

const MIB = 2 ** 20

const LIMITS = z.strictObject({
  bodyBytesMax: integer(1024, 1024 * MIB)
    .default(32 * MIB)
    .meta(meta('Bytes of one request body.')),
  bodyDepthMax: integer(8, 256).default(64).meta(meta('Nesting of arrays and objects in one request body.')),
  bodyTimeoutMs: integer(100, MS_MAX)
    .default(30_000)
    .meta(meta("For a request's headers and body to arrive, in milliseconds.", { reload: 'restart' })),
  requestsInFlightMax: integer(1, 100_000)
    .default(1_000)
    .meta(meta('Requests being answered at the same time, streams included; beyond it callers get 503 at once.')),
  cacheBytesMax: integer(0, 64 * 1024 * MIB)
    .default(64 * MIB)
    .meta(meta('Bytes of cached answers in the memory of one process, of all models with a `cache` together.')),
  budgetStatus: z
    .union([z.literal(429), z.literal(402)])
    .default(429)
    .meta(
      meta(
        'HTTP status of a refusal for want of budget. 429 is what OpenAI sends; with it goes `x-should-retry: false`.',
        { shown: '429 or 402' },
      ),
    ),
  clientStallMs: integer(100, MS_MAX)
    .default(60_000)
    .meta(meta('A client that takes nothing of its stream for this long is cut off, in milliseconds.')),
  drainMs: integer(0, MS_MAX)
    .default(10_000)
    .meta(meta('How long a stop waits for answers in flight, in milliseconds.')),
})

const ALERTS = z.strictObject({
  webhooks: z
    .array(
      z.strictObject({
        url: webhookUrl.meta(meta('Where to POST every alert, as JSON. Redirects are not followed.', { shown: 'URL' })),
        secret: secret
          .meta(
            meta(
              'Signs the messages as Standard Webhooks has it (HMAC-SHA-256, in `webhook-signature`). Only as a reference: `env:NAME` or `file:PATH`; what begins with `whsec_` is base 64.',
              { shown: 'secret reference', hidden: true },
            ),
          )
          .optional(),
      }),
    )
    .max(16)
    .default([])
    .meta(meta('Who is told of alerts. What cannot be delivered is tried again for some days.')),
})

/** What reaches an object store. */
const storage = z.record(z.string().regex(/^[a-z][a-z0-9_]{0,63}$/), text(1024)).check((context) => {
  for (const [name, value] of Object.entries(context.value))
    if (!isReference(value) && CREDENTIAL_HEADER.test(name))
      context.issues.push({ ...wrong('is a literal secret', SECRET_REMEDY, value), path: [name] })
})

const EMBEDDED_INDEX = z.strictObject({
  kind: z.literal('embedded').meta(meta('In the data folder, searched in a process of Headworks. The default.')),
})

const POSTGRES_INDEX = z.strictObject({
  kind: z.literal('postgres').meta(meta('A Postgres server with pgvector 0.8 or newer.')),
  url: secret.meta(
    meta(
      'Where it is and who asks, `postgres://user:password@host:port/database`. Only as a reference: `env:NAME` or `file:PATH`.',
      { shown: 'secret reference', hidden: true },
    ),
  ),
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/)
    .default('headworks')
    .meta(meta('Schema of its own for the tables; made when it is missing.')),
})

const LANCEDB_INDEX = z.strictObject({
  kind: z.literal('lancedb').meta(meta('LanceDB files, in a folder or an object store.')),
  uri: text(2048)
    .default('lance')
    .meta(meta('A folder, from the data folder on, or `s3://bucket/prefix`, `gs://...`, `az://...`.')),
  storage: storage
    .meta(
      meta(
        'Settings of the object store as LanceDB names them: `aws_access_key_id`, `aws_secret_access_key`, `aws_endpoint`, `aws_region` and others. Values that are secrets must be references.',
        { shown: 'name → text or secret reference', hidden: true },
      ),
    )
    .optional(),
})

const QDRANT_INDEX = z.strictObject({
  kind: z.literal('qdrant').meta(meta('A Qdrant server, 1.10 or newer.')),
  url: engineUrl.meta(meta('Of its REST interface, such as `http://127.0.0.1:6333`.', { shown: 'URL' })),
  key: secret
    .meta(
      meta('Sent as `api-key`. Only as a reference: `env:NAME` or `file:PATH`.', {
        shown: 'secret reference',
        hidden: true,
      }),
    )
    .optional(),
  prefix: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/)
    .default('headworks')
    .meta(meta('What the names of its collections begin with.')),
})

const INDEX = z.discriminatedUnion('kind', [EMBEDDED_INDEX, POSTGRES_INDEX, LANCEDB_INDEX, QDRANT_INDEX])

const LOG = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').meta(meta('The least level that is written.')),
})

const TLS = z.strictObject({
  certificate: text(4096).meta(
    meta(
      'PEM file of the certificate and those that vouch for it. Taken over within seconds when it changes; no restart. A relative path starts at the folder of this file.',
      { shown: 'path' },
    ),
  ),
  key: text(4096).meta(meta('PEM file of its private key, likewise.', { shown: 'path' })),
})

export const CONFIG = z
  .strictObject({
    listen: address
      .default('127.0.0.1:4750')
      .meta(
        meta(
          'Address of the HTTP interface: `host:port`, where port 0 takes any free one, or `unix:/path` of a socket that everybody on this machine may open. `HEADWORKS_LISTEN` overrides it.',
          { reload: 'restart', shown: 'host:port' },
        ),
      ),
    server: z
      .enum(['llhttp', 'node'])
      .default('llhttp')
      .meta(
        meta(
          'What reads and writes HTTP. `llhttp`: the parser of Node by itself, at half the CPU. `node`: the whole server of Node.',
          { reload: 'restart' },
        ),
      ),
    tls: TLS.meta(meta('Speaks HTTPS instead of HTTP.', { reload: 'restart' })).optional(),
    data: text(4096)
      .default('.headworks')
      .meta(
        meta(
          'Folder of everything that is kept. A relative path starts at the folder of this file. `HEADWORKS_DATA` overrides it.',
          { reload: 'restart', shown: 'path' },
        ),
      ),
    gateways: integer(1, GATEWAYS_MAX)
      .default(1)
      .meta(
        meta(
          'Processes that share the port and answer `/v1`. 1: the main process answers itself. `headworks up --gateways` overrides it.',
          { reload: 'restart' },
        ),
      ),
    engines: named(PLAIN_NAME, z.discriminatedUnion('kind', [OPENAI, ANTHROPIC, TEI, OLLAMA, ONNX, READER, LEXICAL]))
      .prefault({})
      .meta(meta('Where models run, by name.', { reload: 'live' })),
    models: named(MODEL_NAME, MODEL)
      .prefault({})
      .meta(meta('What callers name in `model`, and which deployments answer.', { reload: 'live' })),
    prices: text(4096)
      .meta(
        meta(
          'A file with prices of your own, YAML or JSON, over the list prices that come with Headworks. A relative path starts at the folder of this file. It is read at the start and whenever this file changes.',
          { reload: 'live', shown: 'path' },
        ),
      )
      .optional(),
    collections: named(PLAIN_NAME, COLLECTION)
      .prefault({})
      .meta(meta('Documents to search, by name.', { reload: 'live' })),
    index: INDEX.prefault({ kind: 'embedded' }).meta(
      meta(
        'Where the vectors of large segments lie. Words, attributes and small segments always lie in the data folder. After a change a collection whose vectors lie elsewhere does not answer until it is built again.',
        { reload: 'restart' },
      ),
    ),
    workflows: named(MODEL_NAME, WORKFLOW)
      .prefault({})
      .meta(
        meta(
          'Retrieval workflows: called as models, they search a collection and answer from what they find, with citations.',
          { reload: 'live' },
        ),
      ),
    budgets: z
      .array(BUDGET)
      .max(10_000)
      .default([])
      .meta(
        meta('Limits on what may be used, held before a model is called so that they cannot be overspent.', {
          reload: 'live',
        }),
      ),
    rateLimits: z
      .array(RATE_LIMIT)
      .max(10_000)
      .default([])
      .meta(meta('Limits on how fast, exact over all gateway processes.', { reload: 'live' })),
    alerts: ALERTS.prefault({}).meta(
      meta('What becomes of alerts: usage that departs from its history, budgets that run out.', { reload: 'live' }),
    ),
    ingest: INGEST.prefault({}).meta(
      meta('Reading documents: how much at once, and what may be reached.', { reload: 'restart' }),
    ),
    limits: LIMITS.prefault({}).meta(meta('Bounds on what one process takes on.', { reload: 'live' })),
    log: LOG.prefault({}).meta(meta('The log: one JSON object a line on standard error.', { reload: 'live' })),
  })
  .meta({ title: 'Headworks configuration', description: 'headworks.yaml; everything is optional.' })

type Frozen<Value> = Value extends bigint | string | number | boolean | undefined
  ? Value
  : Value extends readonly (infer Item)[]
    ? readonly Frozen<Item>[]
    : { readonly [Name in keyof Value]: Frozen<Value[Name]> }

/** The configuration in force: complete, checked, deeply frozen. Named sections have no
 *  prototype: look names up directly. */
export type Config = Frozen<z.output<typeof CONFIG>>
export type EngineConfig = Config['engines'][string]

/** Whether it runs behind a network, where tokens may cost money. */
export const isRemote = (engine: EngineConfig): engine is Extract<EngineConfig, { readonly url: string }> =>
  'url' in engine
export type SourceConfig = Config['collections'][string]['sources'][number]
export type IndexConfig = Config['index']
export type ModelConfig = Config['models'][string]
export type OwnBudgetConfig = Frozen<z.output<typeof OWN_BUDGETS>>[number]
export type BudgetConfig = Config['budgets'][number]
export type RateLimitConfig = Config['rateLimits'][number]
