import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { Tokenizer } from '@huggingface/tokenizers'
import { fault, reasonOf, toFault } from '../../base/errors.ts'
import { type Output, pooled, type Pooling } from './pool.ts'
import type { Opening, Question, Reply } from './protocol.ts'

/** The thread that runs a model of the Hugging Face layout: `tokenizer.json` and `model.onnx` or
 *  `onnx/model.onnx`. */

/** As much of the package as is used. */
interface Runtime {
  readonly InferenceSession: {
    create(path: string, options: { intraOpNumThreads: number; logSeverityLevel: number }): Promise<Session>
  }
  readonly Tensor: new (type: 'int64', data: BigInt64Array, dims: readonly number[]) => unknown
}

interface Session {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  run(inputs: { readonly [name: string]: unknown }): Promise<{ readonly [name: string]: Output }>
}

interface Model {
  readonly session: Session
  readonly runtime: Runtime
  readonly tokenizer: Tokenizer
  readonly tokensMax: number
  readonly pooling: Pooling
  readonly revision: string
}

/** Tokens of one text, where the model does not say; and whatever it says. */
const TOKENS_DEFAULT = 512
const TOKENS_MAX = 8_192
/** Texts of one forward pass, which are padded to the longest. */
const PASS_TEXTS = 8
const JSON_BYTES_MAX = 128 * 2 ** 20

const opening = workerData as Opening
const broken = (reason: string): Error => fault('engine_unreachable', { engine: opening.name, reason })

async function load(): Promise<Model> {
  const { folder, pooling } = opening
  const path = [join(folder, 'onnx', 'model.onnx'), join(folder, 'model.onnx')].find((one) => existsSync(one))
  if (path === undefined) throw broken(`${folder} holds no model.onnx and no onnx/model.onnx`)
  const runtime = loadRuntime()
  const settings = readJson('tokenizer_config.json') ?? {}
  const shape = readJson('config.json') ?? {}
  const vocabulary = readJson('tokenizer.json')
  if (vocabulary === undefined) throw broken(`${folder} holds no tokenizer.json`)
  const said = [settings['model_max_length'], shape['max_position_embeddings']].filter(
    (one) => typeof one === 'number' && one >= 2 && one <= TOKENS_MAX,
  )
  const layers = readJson(join('1_Pooling', 'config.json')) ?? {}
  const session = await runtime.InferenceSession.create(path, {
    intraOpNumThreads: opening.threads,
    logSeverityLevel: 3,
  }).catch((cause: unknown) => {
    throw broken(`${path} cannot be loaded: ${reasonOf(cause)}`)
  })
  return {
    runtime,
    session,
    tokenizer: new Tokenizer(vocabulary, settings),
    tokensMax: Math.min(TOKENS_MAX, ...(said.length > 0 ? said.map(Number) : [TOKENS_DEFAULT])),
    pooling: pooling ?? (layers['pooling_mode_cls_token'] === true ? 'cls' : 'mean'),
    revision: await hashOf(path, JSON.stringify(vocabulary)),
  }
}

/** The package is no part of Headworks: it runs a script when it is installed. */
function loadRuntime(): Runtime {
  const { runtime } = opening
  if (!existsSync(runtime))
    throw broken(
      `${runtime} does not exist; \`npm install onnxruntime-node\` beside headworks.yaml installs the runtime`,
    )
  try {
    return createRequire(join(runtime, 'package.json'))(runtime) as Runtime
  } catch (thrown) {
    throw broken(`onnxruntime-node cannot be loaded: ${reasonOf(thrown)}`)
  }
}

function readJson(name: string): { readonly [field: string]: unknown } | undefined {
  const path = join(opening.folder, name)
  if (!existsSync(path)) return undefined
  const bytes = readFileSync(path)
  if (bytes.length > JSON_BYTES_MAX) throw broken(`${path} is larger than ${JSON_BYTES_MAX} bytes`)
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof value === 'object' && value !== null) return value as { readonly [field: string]: unknown }
  } catch {
    // Said below.
  }
  throw broken(`${path} is no JSON object`)
}

async function hashOf(path: string, tokenizer: string): Promise<string> {
  const hash = createHash('sha256').update(tokenizer)
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer)
  return hash.digest('hex').slice(0, 40)
}

async function embed(model: Model, texts: readonly string[]): Promise<{ vectors: Float32Array[]; tokens: number }> {
  const { tokenizer, tokensMax, session, runtime, pooling } = model
  const ids = texts.map((text) => {
    const all = tokenizer.encode(text.toWellFormed()).ids
    // The last one ends the sequence, and must do so when it is cut.
    return all.length <= tokensMax ? all : [...all.slice(0, tokensMax - 1), all.at(-1) ?? 0]
  })
  const vectors: Float32Array[] = []
  for (let at = 0; at < ids.length; at += PASS_TEXTS) {
    const pass = ids.slice(at, at + PASS_TEXTS)
    const width = Math.max(1, ...pass.map((one) => one.length))
    const dims = [pass.length, width]
    const [tokens, mask] = [new BigInt64Array(pass.length * width), new BigInt64Array(pass.length * width)]
    for (const [row, one] of pass.entries()) {
      for (const [column, id] of one.entries()) {
        tokens[row * width + column] = BigInt(id)
        mask[row * width + column] = 1n
      }
    }
    const given: { readonly [name: string]: BigInt64Array } = {
      input_ids: tokens,
      attention_mask: mask,
      token_type_ids: new BigInt64Array(tokens.length),
    }
    const inputs = session.inputNames.map((name) => {
      const values = given[name]
      if (values === undefined) throw broken(`the model wants an input "${name}"`)
      return [name, new runtime.Tensor('int64', values, dims)] as const
    })
    const outputs = await session.run(Object.fromEntries(inputs))
    const wanted = ['sentence_embedding', 'last_hidden_state', ...session.outputNames].find((name) => name in outputs)
    const output = outputs[wanted ?? '']
    if (output === undefined || !(output.data instanceof Float32Array)) throw broken('the model has no float output')
    const made = pooled(output, mask, pass.length, pooling)
    if (typeof made === 'string') throw broken(made)
    vectors.push(...made)
  }
  return { vectors, tokens: ids.reduce((sum, one) => sum + one.length, 0) }
}

class Thread {
  #model: Promise<Model> | undefined
  /** One after another: the runtime takes all its cores for each. */
  #turn: Promise<void> = Promise.resolve()

  take(question: Question, reply: (answer: Reply) => void): void {
    this.#turn = this.#turn.then(async () => reply(await this.#answer(question)))
  }

  async #answer({ id, texts }: Question): Promise<Reply> {
    try {
      const model = await (this.#model ??= load())
      return { id, revision: model.revision, pooling: model.pooling, ...(await embed(model, texts)) }
    } catch (thrown) {
      const { code, details } = toFault(thrown)
      return { id, code, details }
    }
  }
}

const thread = new Thread()
parentPort?.on('message', (question: Question) => thread.take(question, (answer) => parentPort?.postMessage(answer)))
