/** Requests without a pause while the configuration is reloaded, and while one house takes over from
 *  another: `node scripts/run.js tests/house/rolling.ts --reloads 1000 --restarts 10`. None may fail. */
import { Agent, createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ADMIN_KEY, startHouse } from '../kit/house.ts'

const CALLERS = 8
const RELOAD_MS = 30_000
const ANSWER = JSON.stringify({
  id: 'a',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'word' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3 },
})

export interface Rolled {
  readonly reloads: number
  readonly restarts: number
  readonly requests: number
  readonly failures: readonly string[]
}

export interface RollOptions {
  readonly reloads: number
  readonly restarts: number
  /** Of the server under test. */
  readonly server?: 'llhttp' | 'node'
}

export async function roll({ reloads, restarts, server = 'llhttp' }: RollOptions): Promise<Rolled> {
  const engine = createServer((asked, answer) => {
    asked.resume().on('end', () => answer.setHeader('content-type', 'application/json').end(ANSWER))
  })
  await new Promise<void>((resolve) => void engine.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(engine.address() as AddressInfo).port}/v1`
  const config = (at: number) => ({
    server,
    engines: { up: { kind: 'openai', url } },
    models: {
      m: { deployments: [{ engine: 'up', model: 'w', weight: 1 + (at % 7) }] },
      [`m${at}`]: { deployments: [{ engine: 'up', model: 'w' }] },
    },
  })
  const load = new Load()
  let house = await startHouse({ documents: { 'a.md': 'Apples.' }, config: config(0) })
  try {
    load.begin(house.url)
    for (let at = 1; at <= reloads; at++) {
      house.configure(config(at))
      await until(() => has(house.url, `m${at}`))
    }
    for (let at = 0; at < restarts; at++) {
      // As a load balancer has it: the next one is ready before the last one is told to stop.
      const next = await startHouse({ documents: { 'a.md': 'Apples.' }, config: config(0) })
      load.moveTo(next.url)
      await house.stop()
      house = next
    }
    await load.end()
  } finally {
    await load.end()
    await house.stop()
    engine.closeAllConnections()
    engine.close()
  }
  return { reloads, restarts, requests: load.requests, failures: load.failures }
}

/** Callers who ask again at once, each over a connection that it keeps. */
class Load {
  requests = 0
  readonly failures: string[] = []
  #url = ''
  #isOver = false
  #running: Promise<void[]> | undefined

  begin(url: string): void {
    this.#url = url
    this.#running = Promise.all(Array.from({ length: CALLERS }, () => this.#call()))
  }

  /** From the next request on. */
  moveTo(url: string): void {
    this.#url = url
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#running
  }

  async #call(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    while (!this.#isOver) {
      this.requests++
      const failure = await ask(this.#url, agent)
      if (failure !== undefined) this.failures.push(failure)
    }
    agent.destroy()
  }
}

const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' }
const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Say a word.' }] })

function ask(url: string, agent: Agent): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asked = request(
      `${url}/v1/chat/completions`,
      { method: 'POST', headers, agent },
      (answer: IncomingMessage) => {
        let text = ''
        answer.on('data', (bytes: Buffer) => (text += bytes.toString()))
        answer.on('end', () => resolve(answer.statusCode === 200 ? undefined : `${answer.statusCode}: ${text}`))
        answer.on('error', (error) => resolve(error.message))
      },
    )
    asked.on('error', (error) => resolve(error.message))
    asked.end(body)
  })
}

async function has(url: string, model: string): Promise<boolean> {
  return (await fetch(`${url}/v1/models/${model}`, { headers })).status === 200
}

async function until(isThere: () => Promise<boolean>): Promise<void> {
  for (const began = performance.now(); !(await isThere()); await sleep(10))
    if (performance.now() - began > RELOAD_MS) throw new Error('a reload was not taken over')
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({ options: { reloads: { type: 'string' }, restarts: { type: 'string' } } })
  const { reloads, restarts, requests, failures } = await roll({
    reloads: Number(values.reloads ?? 100),
    restarts: Number(values.restarts ?? 5),
  })
  for (const failure of failures.slice(0, 10)) console.error(failure)
  console.log(`${reloads} reloads and ${restarts} restarts under ${requests} requests: ${failures.length} failed`)
  if (failures.length > 0) process.exitCode = 1
}
