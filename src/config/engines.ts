import * as z from 'zod'
import { engineUrl, headers } from './endpoints.ts'
import { PROVIDERS } from './providers.ts'
import { integer, meta, secret, text, wrong } from './scalars.ts'

const moreHeaders = headers
  .meta(
    meta('More headers to send with every request. Values that are secrets must be references.', {
      shown: 'header name → text or secret reference',
      hidden: true,
    }),
  )
  .optional()

const TLS = z.strictObject({
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
    .meta(
      meta(
        "Base URL of its interface, with the version: `http://127.0.0.1:11434/v1` for Ollama, `http://127.0.0.1:8000/v1` for vLLM. Without it, that of its `provider`, else OpenAI's own.",
        { shown: 'URL' },
      ),
    )
    .optional(),
  key: secret
    .meta(
      meta(
        'Key sent as `Authorization: Bearer`, or as its provider wants it. Only as a reference: `env:NAME` or `file:PATH`.',
        {
          shown: 'secret reference',
          hidden: true,
        },
      ),
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
  tls: TLS.meta(
    meta('How the two make sure of each other over https. Files are read when the configuration is.'),
  ).optional(),
  provider: text(64)
    .meta(
      meta(
        `Who serves it: where it is, what it differs in, and whose list prices apply to models without a \`price\`. ${Object.keys(
          PROVIDERS,
        )
          .map((name) => `\`${name}\``)
          .join(', ')}, or a provider of your own price file. Without it OpenAI, or whose the host of \`url\` is.`,
      ),
    )
    .optional(),
  outputCap: z
    .enum(['max_tokens', 'max_completion_tokens'])
    .meta(
      meta(
        "What it calls the cap on output tokens. Without it what its provider does, else `max_tokens`. OpenAI's reasoning models know only `max_completion_tokens`.",
      ),
    )
    .optional(),
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
        'What it serves beside chat, embeddings and reranking; requests are passed through as they are. Without it what its provider is known for.',
      ),
    )
    .optional(),
  metrics: engineUrl
    .meta(
      meta(
        "Its Prometheus page, such as `http://127.0.0.1:8000/metrics`, read every second: what the server says of its queue, its running calls and its cache, for `least_outstanding`, `p2c` and `prefix`. vLLM, SGLang, TGI, llama.cpp, TensorRT-LLM and Triton are understood. Without it, or where it does not answer, the gateway's own count alone.",
        { shown: 'URL' },
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

const GEMINI = z.strictObject({
  kind: z.literal('gemini').meta(meta("Google's Gemini API by its own interface, for chat and embeddings.")),
  url: engineUrl
    .default('https://generativelanguage.googleapis.com/v1beta')
    .meta(meta("Base URL of its interface, with the version. Without it, Google's own.", { shown: 'URL' })),
  key: secret
    .meta(
      meta('Key sent as `x-goog-api-key`. Only as a reference: `env:NAME` or `file:PATH`.', {
        shown: 'secret reference',
        hidden: true,
      }),
    )
    .optional(),
  headers: moreHeaders,
  provider: text(64)
    .default('google')
    .meta(meta('Whose list prices apply to models without a `price`, as for `openai`.')),
})

const bedrockSecret = (what: string) =>
  secret.meta(meta(`${what} Only as a reference.`, { shown: 'secret reference', hidden: true })).optional()

const BEDROCK = z
  .strictObject({
    kind: z.literal('bedrock').meta(meta('Amazon Bedrock by its Converse API, for chat with the models of any maker.')),
    region: z
      .string()
      .regex(/^[a-z]{2}(?:-[a-z]+)+-\d$/)
      .meta(meta('Its region, such as `eu-central-1`.')),
    url: engineUrl
      .meta(
        meta('Base URL of its runtime, such as that of a private endpoint. Without it that of the region.', {
          shown: 'URL',
        }),
      )
      .optional(),
    key: bedrockSecret('A Bedrock API key, in place of an access key.'),
    accessKeyId: bedrockSecret('The access key that signs requests.'),
    secretAccessKey: bedrockSecret('Its secret.'),
    sessionToken: bedrockSecret('Of temporary credentials.'),
    headers: moreHeaders,
    provider: text(64).meta(meta('Whose list prices apply to models without a `price`, as for `openai`.')).optional(),
  })
  .check((context) => {
    const { key, accessKeyId, secretAccessKey } = context.value
    if (key !== undefined || (accessKeyId !== undefined && secretAccessKey !== undefined)) return
    const remedy = 'Give it `accessKeyId` and `secretAccessKey`, or a Bedrock API key as `key`.'
    // Of the whole engine what is shown might hold a secret.
    context.issues.push({
      ...wrong('is missing, and no `key` stands in its place', remedy, undefined),
      path: ['accessKeyId'],
    })
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

const DETECTORS = z.strictObject({
  kind: z
    .literal('detectors')
    .meta(
      meta(
        'Answers `/v1/moderations` by what guards find: personal data, secrets, injections. Needs no model weights.',
      ),
    ),
})

/** Where models run. */
export const ENGINE = z.discriminatedUnion('kind', [
  OPENAI,
  ANTHROPIC,
  GEMINI,
  BEDROCK,
  TEI,
  OLLAMA,
  ONNX,
  READER,
  LEXICAL,
  DETECTORS,
])
