import { readdirSync, readFileSync } from 'node:fs'
import { Caller, cpuMs, type Program, startEmbedder, startHouse, startUpstream } from '../processes.ts'

/** The whole program with one collection that a model server embeds, as its clients meet it. */

export interface Pushing {
  readonly status: number
  readonly ms: number
}

const COLLECTION = 'stream'
const PATH = `/api/collections/${COLLECTION}`

export class Streamed {
  readonly #house: Program
  readonly #others: { readonly embedder: Program; readonly answering: Program }
  readonly #caller = new Caller()

  private constructor(house: Program, others: { readonly embedder: Program; readonly answering: Program }) {
    this.#house = house
    this.#others = others
  }

  /** `profiles`: a folder for the CPU profiles of the house's processes. */
  static async start(options: { readonly dimension: number; readonly data?: string; readonly profiles?: string }) {
    const { dimension, data, profiles } = options
    const [embedder, answering] = await Promise.all([startEmbedder(dimension), startUpstream()])
    const config = {
      engines: {
        hashed: { kind: 'openai', url: `http://${embedder.address}/v1` },
        answering: { kind: 'openai', url: `http://${answering.address}/v1` },
      },
      models: {
        hashed: { deployments: [{ engine: 'hashed', model: 'hashed' }] },
        chat: { deployments: [{ engine: 'answering', model: 'weights' }] },
      },
      collections: { [COLLECTION]: { embedding: 'hashed' } },
      workflows: {
        ask: { collection: COLLECTION, model: 'chat', rerank: 'none', groundedness: 'none', evidenceMin: 0 },
      },
      log: { level: 'warn' },
    }
    const house = await startHouse({
      config: JSON.stringify(config),
      ...(data === undefined ? {} : { data }),
      ...(profiles === undefined ? {} : { nodeOptions: `--cpu-prof --cpu-prof-dir=${profiles}` }),
    })
    return new Streamed(house, { embedder, answering })
  }

  async push(lines: readonly string[]): Promise<Pushing> {
    const { status, ms } = await this.#caller.send(
      this.#house.address,
      'POST',
      `${PATH}/documents`,
      lines.join('\n'),
      'application/x-ndjson',
    )
    return { status, ms }
  }

  async remove(id: string): Promise<number> {
    return (await this.#caller.send(this.#house.address, 'DELETE', `${PATH}/documents/${id}`, '')).status
  }

  /** Resolves to the texts found; rejects where the search is refused. */
  async search(query: string, mode: 'hybrid' | 'words' | 'vector' = 'hybrid'): Promise<readonly string[]> {
    const body = JSON.stringify({ query, k: 10, mode })
    const { text } = await this.#caller.ask(this.#house.address, `${PATH}/search`, body)
    return (JSON.parse(text) as { readonly passages: readonly { readonly text: string }[] }).passages.map(
      (one) => one.text,
    )
  }

  /** Milliseconds to the first frame of a workflow's answer, which holds its sources. */
  async firstFrame(question: string): Promise<number> {
    const body = JSON.stringify({ model: 'ask', stream: true, messages: [{ role: 'user', content: question }] })
    const answer = await this.#caller.send(this.#house.address, 'POST', '/v1/chat/completions', body)
    if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`)
    return answer.firstMs
  }

  /** Documents that were ever sent, of data that were kept: the numbers of those there, and some to spare
   *  for those that were deleted. */
  async made(): Promise<number> {
    const { status } = await this.#caller.send(this.#house.address, 'GET', PATH, '')
    return status === 404 ? 0 : Math.ceil((await this.counts()).documents * 1.1)
  }

  async counts(): Promise<{ readonly documents: number; readonly chunks: number; readonly segments: number }> {
    const { status, text } = await this.#caller.send(this.#house.address, 'GET', PATH, '')
    if (status !== 200) throw new Error(`${status}: ${text}`)
    return JSON.parse(text) as { documents: number; chunks: number; segments: number }
  }

  /** CPU milliseconds so far, by process; of the house itself its threads apart. Of a process that ended,
   *  what it used is not known any more. */
  cpu(): Map<string, number> {
    const used = new Map<string, number>()
    const { embedder, answering } = this.#others
    const own = threadsOf(this.#house.pid)
    used.set('house, main thread', own.get(this.#house.pid) ?? 0)
    used.set('house, store and other threads', this.#house.cpuMs() - (own.get(this.#house.pid) ?? 0))
    for (const role of ['search', 'ingest'])
      for (const [at, pid] of this.#house.children(role).entries()) used.set(`${role} process ${at + 1}`, cpuMs(pid))
    used.set('embedding server', embedder.cpuMs())
    used.set('answering server', answering.cpuMs())
    used.set('these clients', cpuMs(process.pid))
    return used
  }

  async stop(): Promise<void> {
    this.#caller.close()
    await this.#house.stop()
    await Promise.all([this.#others.embedder.stop(), this.#others.answering.stop()])
  }
}

function threadsOf(pid: number): Map<number, number> {
  const tasks = `/proc/${pid}/task`
  return new Map(
    readdirSync(tasks).map((tid) => [
      Number(tid),
      Number(readFileSync(`${tasks}/${tid}/schedstat`, 'utf8').split(' ', 1)[0]) / 1e6,
    ]),
  )
}
