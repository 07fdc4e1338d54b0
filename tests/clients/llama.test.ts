/** A real model behind Headworks: llama.cpp's server, with a model of random weights. Runs where
 *  HEADWORKS_TEST_LLAMA names a Python that has it (`.ci/run` builds one). */
import assert from 'node:assert/strict'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import OpenAI, { APIError } from 'openai'
import { inputTokensBound } from '../../src/meter/bound.ts'
import { ADMIN_KEY, freePort, startHouse, type RunningHouse } from '../kit/house.ts'
import { hardText } from '../kit/texts.ts'
import { DOCUMENTS } from './material.ts'

const python = process.env['HEADWORKS_TEST_LLAMA']
const skip =
  python === undefined
    ? 'HEADWORKS_TEST_LLAMA names no Python with llama-cpp-python[server]: pip install -r tests/clients/model-server.txt'
    : false

const START_MS_MAX = 30_000
const TRACE_MS_MAX = 5_000
const POLL_MS = 100
const CHATS = 100

class ModelServer {
  readonly url: string
  readonly #folder: string
  readonly #process: ChildProcess
  #said = ''

  private constructor(program: string, port: number) {
    this.#folder = mkdtempSync(join(tmpdir(), 'headworks-model-'))
    const model = join(this.#folder, 'random.gguf')
    execFileSync(program, [join(import.meta.dirname, 'make_gguf.py'), model])
    this.url = `http://127.0.0.1:${port}/v1`
    this.#process = spawn(
      program,
      [
        '-m',
        'llama_cpp.server',
        '--model',
        model,
        '--host',
        '127.0.0.1',
        '--port',
        String(port),
        '--n_ctx',
        '2048',
        '--n_threads',
        '1',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    this.#process.stderr?.on('data', (bytes: Buffer) => (this.#said += bytes.toString()))
  }

  static async start(program: string): Promise<ModelServer> {
    const server = new ModelServer(program, await freePort())
    for (let waited = 0; waited < START_MS_MAX; waited += POLL_MS) {
      const answer = await fetch(`${server.url}/models`).catch(() => undefined)
      if (answer?.ok) return server
      if (server.#process.exitCode !== null) break
      await sleep(POLL_MS)
    }
    await server.stop()
    throw new Error(`The model server did not start. It said:\n${server.#said}`)
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const end = new Promise((resolve) => this.#process.once('close', resolve))
      this.#process.kill('SIGKILL')
      await end
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** What is written down about a request. */
interface Trace {
  readonly running: boolean
  readonly body: {
    readonly outcome: string
    readonly deployment: string
    readonly usage: { readonly outputTokens: number; readonly estimated: boolean }
  }
}

suite('llama.cpp behind Headworks', { skip }, () => {
  let server: ModelServer
  let house: RunningHouse
  let client: OpenAI
  before(async () => {
    server = await ModelServer.start(python ?? '')
    const config = {
      engines: { llama: { kind: 'openai', url: server.url } },
      models: { chat: { deployments: [{ engine: 'llama', model: 'random' }] } },
    }
    house = await startHouse({ documents: DOCUMENTS, config })
    client = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: ADMIN_KEY, maxRetries: 0 })
  })
  after(async () => {
    await house.stop()
    await server.stop()
  })

  const question = { model: 'chat', messages: [{ role: 'user' as const, content: 'Say something.' }], temperature: 0 }

  test('the answer and its usage are the model server’s own', async () => {
    const direct = new OpenAI({ baseURL: server.url, apiKey: 'none', maxRetries: 0 })
    const expected = await direct.chat.completions.create({ ...question, max_tokens: 20 })
    const { data: completion, request_id: requestId } = await client.chat.completions
      .create({ ...question, max_tokens: 20 })
      .withResponse()
    assert.equal((expected.choices[0]?.message.content ?? '').trim().split(' ').length, 20)
    assert.deepEqual(completion.choices, expected.choices)
    assert.deepEqual(completion.usage, expected.usage)
    const { body } = await waitForTrace(house.url, requestId)
    assert.equal(body.outcome, 'answered')
    assert.equal(body.deployment, 'llama/random')
    assert.equal(body.usage.outputTokens, 20)
    assert.equal(body.usage.estimated, false)
  })

  test('streamed, it is the same; this server counts no streamed tokens, so the count says it is estimated', async () => {
    const whole = await client.chat.completions.create({ ...question, max_tokens: 20 })
    const { data: stream, request_id: requestId } = await client.chat.completions
      .create({ ...question, max_tokens: 20, stream: true, stream_options: { include_usage: true } })
      .withResponse()
    let text = ''
    let finish: string | null = null
    let usage: OpenAI.CompletionUsage | undefined
    let pieces = 0
    for await (const chunk of stream) {
      const delta = chunk.choices[0]?.delta.content ?? ''
      if (delta !== '') pieces++
      text += delta
      finish = chunk.choices[0]?.finish_reason ?? finish
      usage = chunk.usage ?? usage
    }
    assert.equal(text, whole.choices[0]?.message.content)
    assert.ok(pieces >= 10, `the answer came in ${pieces} pieces`)
    assert.equal(finish, 'length')
    const { body } = await waitForTrace(house.url, requestId)
    assert.equal(body.usage.estimated, true)
    assert.ok(body.usage.outputTokens > 0)
    assert.equal(usage?.completion_tokens, body.usage.outputTokens)
  })

  test('no prompt has more tokens than its bound', async () => {
    const text = hardText.map((one) => one.toWellFormed().slice(0, 200))
    const role = fc.constantFrom('system', 'user', 'assistant')
    const chats = fc.array(fc.record({ role, content: text }), { minLength: 1, maxLength: 4 })
    for (const messages of fc.sample(chats, { numRuns: CHATS, seed: 1847 })) {
      const body = { model: 'random', messages, max_tokens: 1 }
      const answer = await fetch(`${server.url}/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      const { usage } = (await answer.json()) as { readonly usage: OpenAI.CompletionUsage }
      const bound = inputTokensBound(body)
      assert(usage.prompt_tokens > 0 && usage.prompt_tokens <= bound, `${usage.prompt_tokens}, bound ${bound}`)
      // This model's words are bytes: without what is allowed for the template, the bound is sharp.
      const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0)
      if (messages.every((one) => one.role === 'user')) assert(usage.prompt_tokens >= bytes, JSON.stringify(messages))
    }
  })

  test('cancelled, it is charged for what came, and the server is free for the next', async () => {
    const { data: stream, request_id: requestId } = await client.chat.completions
      .create({ ...question, max_tokens: 1500, stream: true })
      .withResponse()
    let chunks = 0
    for await (const _ of stream) if (++chunks === 3) break
    const { body } = await waitForTrace(house.url, requestId)
    assert.equal(body.outcome, 'cancelled')
    assert.ok(body.usage.outputTokens > 0 && body.usage.outputTokens < 1500, String(body.usage.outputTokens))
    const next = await client.chat.completions.create({ ...question, max_tokens: 5 })
    assert.equal(next.usage?.completion_tokens, 5)
  })

  test('gone, it is an error that names the engine and says what to do', async () => {
    await server.stop()
    await assert.rejects(
      client.chat.completions.create({ ...question, max_tokens: 5 }),
      (error) =>
        error instanceof APIError &&
        error.status === 502 &&
        error.code === 'engine_unreachable' &&
        error.message.includes('"llama"'),
    )
  })
})

/** The trace of a request that has ended. */
async function waitForTrace(url: string, id: string | null): Promise<Trace> {
  for (let waited = 0; waited < TRACE_MS_MAX; waited += POLL_MS) {
    const answer = await fetch(`${url}/api/traces/${id}`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
    const trace = answer.ok ? ((await answer.json()) as Trace) : undefined
    if (trace?.running === false) return trace
    await sleep(POLL_MS)
  }
  throw new Error(`No trace of ${id} within ${TRACE_MS_MAX} ms`)
}
