import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { Refusal } from '../base/errors.ts'
import type { Handler, Headers, Request } from '../base/http.ts'
import { isObject, type JsonObject } from '../base/json.ts'
import { silentLog } from '../base/log.ts'
import { seededRandom } from '../base/random.ts'
import { MemoryBlobs } from '../drivers/memory/blobs.ts'
import { MemoryQueue } from '../drivers/memory/queue.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import { Files } from '../files/files.ts'
import { unbound } from '../guard/bindings.ts'
import type { Principal } from '../guard/principal.ts'
import { SCAN_MAX } from '../store/rows.ts'
import { RESULTS } from './batch.ts'
import { Batches, type NewBatch, type Standing } from './batches.ts'

const OWNER: Principal = { id: 'key_1', name: 'app', role: 'user', bindings: unbound('user') }
const DAY_MS = 24 * 3_600_000

interface Said {
  readonly status?: number
  readonly headers?: Headers
  readonly body?: unknown
}

/** What is said to a request of a batch. */
type Say = (body: JsonObject, request: Request, signal: AbortSignal) => Said | Promise<Said>

const OK: Say = (body) => ({
  headers: { 'x-headworks-cost-nanousd': '5' },
  body: { echo: body['n'], usage: { prompt_tokens: 3, completion_tokens: 2 } },
})

class Material {
  readonly clock = new ManualClock()
  readonly rows = new MemoryRows()
  readonly blobs = new MemoryBlobs()
  readonly queue = new MemoryQueue(this.clock)
  readonly asked: { readonly request: Request; readonly body: JsonObject }[] = []
  readonly forgotten: string[] = []
  say: Say = OK
  /** Whoever the key opens now. */
  principal: Principal | undefined = OWNER
  parallel = 3
  files!: Files
  batches!: Batches
  readonly #random = seededRandom(7)

  #kill = (): void => {}

  /** The process is never heard of again; its lease runs out. */
  crash(): Promise<this> {
    this.#kill()
    return this.open()
  }

  async open(): Promise<this> {
    let isDead = false
    this.#kill = () => (isDead = true)
    const { queue } = this
    const alive = <Result>(ask: () => Promise<Result>): Promise<Result> => (isDead ? new Promise(() => {}) : ask())
    const shared = { clock: this.clock, random: this.#random, rows: this.rows }
    this.files = await Files.open({ ...shared, blobs: this.blobs, ownerBytesMax: () => 2 ** 40 })
    this.batches = new Batches({
      ...shared,
      queue: {
        enqueue: (...job) => alive(() => queue.enqueue(...job)),
        lease: (...job) => alive(() => queue.lease(...job)),
        extend: (...job) => alive(() => queue.extend(...job)),
        complete: (job) => alive(() => queue.complete(job)),
        retry: (...job) => alive(() => queue.retry(...job)),
        bury: (...job) => alive(() => queue.bury(...job)),
        list: (...job) => alive(() => queue.list(...job)),
      },
      log: silentLog,
      files: this.files,
      parallel: () => this.parallel,
      principalOf: (id) => (id === OWNER.id ? this.principal : undefined),
      handleFor: () => this.#handle,
      forget: async (_, keys) => void this.forgotten.push(...keys),
      limits: () => ({ bytesMax: 10_000, depthMax: 16 }),
    })
    await this.batches.resume()
    return this
  }

  readonly #handle: Handler = (request, reply) => {
    const gone = new AbortController()
    reply.onGone(() => gone.abort())
    void (async () => {
      const body = JSON.parse(Buffer.from(await request.body(1e6)).toString()) as JsonObject
      this.asked.push({ request, body })
      const { status = 200, headers = {}, body: answer = {} } = await this.say(body, request, gone.signal)
      if (gone.signal.aborted) return
      if (status === 0) return reply.abort()
      reply.head(status, { 'x-request-id': 'req_1', ...headers })
      reply.end(JSON.stringify(answer))
    })()
  }

  async send(text: string | readonly object[], more: Partial<NewBatch> = {}): Promise<string> {
    const lines = typeof text === 'string' ? text : text.map((line) => JSON.stringify(line)).join('\n')
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from(lines)
    }
    const file = await this.files.write({ owner: OWNER.id, name: 'in.jsonl', mediaType: '' }, pieces(), async () => ({
      purpose: 'batch',
    }))
    assert.ok(!(file instanceof Refusal))
    const made = await this.batches.create(OWNER, {
      endpoint: '/v1/chat/completions',
      inputFile: file.id,
      windowText: '24h',
      windowMs: DAY_MS,
      metadata: {},
      ...more,
    })
    assert.ok(!(made instanceof Refusal))
    return made.batch.id
  }

  async standing(id: string): Promise<Standing> {
    const found = await this.batches.find(OWNER.id, id)
    return found ?? assert.fail('there is no such batch')
  }

  async until(id: string, isSo: (standing: Standing) => boolean): Promise<Standing> {
    for (let turn = 0; turn < 2_000; turn++) {
      const standing = await this.standing(id)
      if (isSo(standing)) return standing
      await this.pass(100)
    }
    return assert.fail(`it stays as it is: ${JSON.stringify(await this.standing(id))}`)
  }

  /** Time, and what falls due in it. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms)
    for (let turn = 0; turn < 5; turn++) await settled()
  }

  ended(id: string): Promise<Standing> {
    return this.until(id, ({ batch: { state } }) => ['completed', 'failed', 'expired', 'cancelled'].includes(state))
  }

  async linesOf(id: string | undefined): Promise<JsonObject[]> {
    const file = id === undefined ? undefined : await this.files.find(OWNER.id, id)
    if (file === undefined) return []
    const text = Buffer.concat(await Array.fromAsync(this.files.read(file))).toString()
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as JsonObject)
  }
}

const line = (n: number, more: object = {}): object => ({
  custom_id: `line-${n}`,
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model: 'chat', n },
  ...more,
})
const count = (n: number): object[] => Array.from({ length: n }, (_, at) => line(at))
const partOf = (line: JsonObject | undefined, part: string, name: string): unknown => {
  const value = line?.[part]
  return isObject(value) ? value[name] : undefined
}
const statusOf = (line: JsonObject | undefined): unknown => partOf(line, 'response', 'status_code')
const codeOf = (line: JsonObject | undefined): unknown => partOf(line, 'error', 'code')
const customIds = (lines: readonly JsonObject[]): string[] => lines.map(({ custom_id: id }) => String(id)).toSorted()

async function open(t: { after: (run: () => Promise<void>) => void }): Promise<Material> {
  const material = await new Material().open()
  t.after(async () => {
    const stopping = material.batches.stop(0)
    await material.pass(10_000)
    await stopping
  })
  return material
}

describe('a batch', () => {
  test('answers every line once, at most so many at the same time, behind everybody', async (t) => {
    const material = await open(t)
    let now = 0
    let most = 0
    material.say = async (body, request) => {
      most = Math.max(most, ++now)
      await new Promise(setImmediate)
      now--
      return Number(body['n']) === 4 ? { status: 400, body: { error: { message: 'no' } } } : OK(body, request, NEVER)
    }
    const id = await material.send(count(20))
    const { batch, progress } = await material.ended(id)
    assert.equal(batch.state, 'completed')
    assert.equal(batch.total, 20)
    assert.deepEqual(progress, {
      completed: 19,
      failed: 1,
      inputTokens: 57,
      cachedTokens: 0,
      outputTokens: 38,
      reasoningTokens: 0,
      costNanoUsd: '95',
    })
    assert.equal(most, 3)
    const output = await material.linesOf(batch.outputFile)
    assert.deepEqual(
      customIds(output),
      count(20)
        .flatMap((_, at) => (at === 4 ? [] : [`line-${at}`]))
        .toSorted(),
    )
    assert.deepEqual(Object.keys(output[0] ?? {}), ['id', 'custom_id', 'response', 'error'])
    const response = output.find(({ custom_id: custom }) => custom === 'line-7')?.['response'] as JsonObject
    assert.deepEqual(response, {
      status_code: 200,
      request_id: 'req_1',
      body: { echo: 7, usage: { prompt_tokens: 3, completion_tokens: 2 } },
    })
    const [wrong] = await material.linesOf(batch.errorFile)
    assert.equal(statusOf(wrong), 400)
    const [{ request } = assert.fail()] = material.asked
    assert.equal(request.headers['x-headworks-priority'], 'batch')
    assert.equal(new Set(material.asked.map((one) => one.request.headers['idempotency-key'])).size, 20)
    assert.equal(material.forgotten.length, 20)
    assert.deepEqual(await material.rows.scan(RESULTS, { limit: SCAN_MAX }), [], 'nothing is left over')
  })

  test('goes on after a crash with what has no answer yet', async (t) => {
    const material = await open(t)
    material.say = (body, request) => (Number(body['n']) < 5 ? OK(body, request, NEVER) : new Promise(() => {}))
    const id = await material.send(count(12))
    await material.until(id, ({ progress }) => progress.completed === 5)
    material.say = OK
    const before = material.asked.length
    await material.crash()
    const { batch, progress } = await material.ended(id)
    assert.deepEqual([batch.state, progress.completed, progress.failed], ['completed', 12, 0])
    assert.equal(material.asked.length - before, 7)
    assert.equal((await material.linesOf(batch.outputFile)).length, 12)
  })

  test('a stop lets what is in flight end, and gives up what does not', async (t) => {
    const material = await open(t)
    const pending: (() => void)[] = []
    let left = 0
    material.say = (body, request, signal) =>
      new Promise((resolve) => {
        if (Number(body['n']) === 1) pending.push(() => resolve(OK(body, request, NEVER)))
        signal.addEventListener('abort', () => left++)
      })
    const id = await material.send(count(9))
    while (material.asked.length < 3) await material.pass(10)
    const stopping = material.batches.stop(1_000)
    pending[0]?.()
    await material.pass(999)
    assert.equal(left, 0)
    await material.pass(10_000)
    await stopping
    assert.equal(left, 2)
    assert.equal((await material.standing(id)).progress.completed, 1)
    assert.equal(material.asked.length, 3)
    material.say = OK
    await material.open()
    const { batch } = await material.ended(id)
    assert.equal((await material.linesOf(batch.outputFile)).length, 9)
  })

  test('is cancelled, and says so of every line that was not asked', async (t) => {
    const material = await open(t)
    const pending: (() => void)[] = []
    material.say = (body, request) => new Promise((resolve) => pending.push(() => resolve(OK(body, request, NEVER))))
    const id = await material.send(count(10))
    while (material.asked.length < 3) await material.pass(10)
    const cancelled = await material.batches.cancel(OWNER.id, id)
    assert.ok(!(cancelled instanceof Refusal))
    assert.equal(cancelled.batch.state, 'cancelling')
    for (const go of pending) go()
    const { batch } = await material.ended(id)
    assert.equal(batch.state, 'cancelled')
    assert.equal(material.asked.length, 3)
    assert.equal((await material.linesOf(batch.outputFile)).length, 3)
    const errors = await material.linesOf(batch.errorFile)
    assert.deepEqual(new Set(errors.map(codeOf)), new Set(['batch_cancelled']))
    assert.equal(errors.length, 7)
    const again = await material.batches.cancel(OWNER.id, id)
    assert.ok(again instanceof Refusal && again.code === 'batch_over')
    const foreign = await material.batches.cancel('key_2', id)
    assert.ok(foreign instanceof Refusal && foreign.code === 'not_found')
  })

  test('expires, and says so of every line that was not asked', async (t) => {
    const material = await open(t)
    material.say = () => ({ status: 503, headers: { 'retry-after-ms': '500' } })
    const id = await material.send(count(5), { windowMs: 20_000 })
    const { batch } = await material.ended(id)
    assert.equal(batch.state, 'expired')
    assert.equal(batch.outputFile, undefined)
    const errors = await material.linesOf(batch.errorFile)
    assert.deepEqual(customIds(errors), ['line-0', 'line-1', 'line-2', 'line-3', 'line-4'])
    assert.deepEqual(new Set(errors.map(codeOf)), new Set(['batch_expired']))
  })
})

const NEVER = new AbortController().signal

const times = (count: number, said: Said): Said[] => Array.from({ length: count }, () => said)

describe('a line', () => {
  const CASES: readonly [what: string, says: readonly Said[], status: number, asked: number][] = [
    ['that is turned away comes again', times(9, { status: 429 }), 200, 10],
    ['that meets a failing engine comes again', times(4, { status: 500 }), 200, 5],
    ['fails where the engine fails on', times(9, { status: 502 }), 502, 5],
    [
      'waits for an engine that says when to come again',
      times(7, { status: 502, headers: { 'retry-after-ms': '900' } }),
      200,
      8,
    ],
    ['whose budget is spent does not come again', [{ status: 429, headers: { 'x-should-retry': 'false' } }], 429, 1],
    ['that is wrong does not come again', [{ status: 404 }], 404, 1],
  ]
  for (const [what, says, status, asked] of CASES)
    test(what, async (t) => {
      const material = await open(t)
      const queue = [...says]
      material.say = (body, request) => queue.shift() ?? OK(body, request, NEVER)
      const { batch } = await material.ended(await material.send(count(1)))
      const [only] = await material.linesOf(batch.outputFile ?? batch.errorFile)
      assert.equal(statusOf(only), status)
      assert.equal(material.asked.length, asked)
      assert.equal(batch.outputFile === undefined, status !== 200)
    })

  test('whose answer breaks off, is too large, or whose key has ended, is told of as an error', async (t) => {
    const material = await open(t)
    const errorOf = async (id: string): Promise<unknown> => {
      const { batch } = await material.ended(id)
      return codeOf((await material.linesOf(batch.errorFile))[0])
    }
    material.say = () => ({ status: 0 })
    assert.equal(await errorOf(await material.send(count(1))), 'stream_broken')
    material.say = () => ({ body: 'x'.repeat(9 * 2 ** 20) })
    assert.equal(await errorOf(await material.send(count(1))), 'response_too_large')
    material.principal = undefined
    assert.equal(await errorOf(await material.send(count(1))), 'key_ended')
  })
})

describe('an input file', () => {
  const CASES: readonly [code: string, text: string | readonly object[], line: number | undefined][] = [
    ['invalid_json_line', `${JSON.stringify(line(1))}\n{"a":`, 2],
    ['invalid_json_line', `\n\n[1]`, 3],
    ['invalid_json_line', `${'['.repeat(40)}${']'.repeat(40)}`, 1],
    ['line_too_large', [line(1), line(2, { body: { model: 'chat', text: 'x'.repeat(20_000) } }), line(3)], 2],
    ['invalid_custom_id', [line(1, { custom_id: 7 })], 1],
    ['invalid_custom_id', [line(1, { custom_id: '' })], 1],
    ['invalid_method', [line(1, { method: 'GET' })], 1],
    ['mismatched_endpoint', [line(1, { url: '/v1/embeddings' })], 1],
    ['invalid_body', [line(1, { body: [] })], 1],
    ['invalid_body', [line(1, { body: { n: 1 } })], 1],
    ['invalid_body', [line(1, { body: { model: 'chat', stream: true } })], 1],
    ['duplicate_custom_id', [line(1), line(2), line(1)], 3],
    ['too_many_lines', Array.from({ length: 50_001 }, (_, at) => line(at)), 50_001],
    ['empty_file', '\n \n\t\n', undefined],
  ]
  for (const [code, text, at] of CASES)
    test(`that is wrong is told of by its line: ${code} ${String(at)} ${String(text).slice(0, 12)}`, async (t) => {
      const material = await open(t)
      const { batch } = await material.ended(await material.send(text))
      assert.equal(batch.state, 'failed')
      assert.deepEqual([batch.problems?.[0]?.code, batch.problems?.[0]?.line], [code, at])
      assert.equal(material.asked.length, 0)
      assert.deepEqual([batch.outputFile, batch.errorFile], [undefined, undefined])
    })

  test('of a thousand wrong lines tells of a hundred', async (t) => {
    const material = await open(t)
    const { batch } = await material.ended(await material.send('no\n'.repeat(1_000)))
    assert.equal(batch.problems?.length, 100)
  })

  test('may have a byte order mark, carriage returns, blank lines and no end of its last line', async (t) => {
    const material = await open(t)
    const text = `\ufeff${JSON.stringify(line(1))}\r\n\r\n${JSON.stringify(line(2))}\r\n${JSON.stringify(line(3))}`
    const { batch } = await material.ended(await material.send(text))
    assert.deepEqual([batch.state, batch.total, (await material.linesOf(batch.outputFile)).length], ['completed', 3, 3])
  })

  test('that is removed on the way ends the batch, and what was answered is kept', async (t) => {
    const material = await open(t)
    material.say = async (body, request) => {
      if (Number(body['n']) === 2) await material.files.remove(OWNER.id, inputFile)
      return OK(body, request, NEVER)
    }
    const id = await material.send(count(4))
    const { inputFile } = (await material.standing(id)).batch
    const { batch } = await material.ended(id)
    assert.ok(batch.state === 'completed' || batch.state === 'failed')
    const gone = await material.send(count(4))
    await material.files.remove(OWNER.id, (await material.standing(gone)).batch.inputFile)
    const { batch: failed } = await material.ended(gone)
    assert.deepEqual([failed.state, failed.problems?.[0]?.code], ['failed', 'file_not_found'])
  })
})

test("another's file, one for another purpose and one batch too many are refused", async (t) => {
  const material = await open(t)
  material.say = () => new Promise(() => {})
  const asked = { endpoint: '/v1/chat/completions', windowText: '24h', windowMs: DAY_MS, metadata: {} } as const
  const codeOf = async (inputFile: string): Promise<string> => {
    const made = await material.batches.create(OWNER, { ...asked, inputFile })
    return made instanceof Refusal ? made.code : 'made'
  }
  assert.equal(await codeOf('file_none'), 'not_found')
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('x')
  }
  const note = await material.files.write({ owner: OWNER.id, name: 'a', mediaType: '' }, pieces(), async () => ({
    purpose: 'assistants',
  }))
  assert.ok(!(note instanceof Refusal))
  assert.equal(await codeOf(note.id), 'field_invalid')
  const id = await material.send(count(1))
  const { inputFile } = (await material.standing(id)).batch
  for (let made = 1; made < 100; made++) assert.equal(await codeOf(inputFile), 'made')
  assert.equal(await codeOf(inputFile), 'batches_full')
})
