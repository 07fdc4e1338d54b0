import * as z from 'zod'
import { engineUrl, headers } from './endpoints.ts'
import { integer, meta, secret, text } from './scalars.ts'

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
  tls: TLS.meta(
    meta('How the two make sure of each other over https. Files are read when the configuration is.'),
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
export const ENGINE = z.discriminatedUnion('kind', [OPENAI, ANTHROPIC, TEI, OLLAMA, ONNX, READER, LEXICAL, DETECTORS])
