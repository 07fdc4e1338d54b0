import { Worker } from 'node:worker_threads'
import { Fault, fault, reasonOf, type Refusal, refuse } from '../../base/errors.ts'
import type { Database, Row } from '../../retrieval/queries.ts'

/** Somebody else's SQLite file, opened read-only in a thread of its own: a query may take long. */
export function openQueryFile(path: string): Database {
  return new QueryFile(path)
}

export type Asked =
  | { readonly what: 'columns' | 'begin'; readonly query: string }
  | { readonly what: 'next' }
  | { readonly what: 'row'; readonly query: string; readonly value: unknown }

export type Answered = { readonly value: unknown } | { readonly failed: string }

class QueryFile implements Database {
  readonly placeholder = '?'
  readonly #path: string
  readonly #thread: Worker
  readonly #waiting: PromiseWithResolvers<unknown>[] = []
  #end: string | undefined

  constructor(path: string) {
    this.#path = path
    this.#thread = new Worker(
      new URL(`./query-thread.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url),
      {
        workerData: path,
      },
    )
    this.#thread.on('message', (answer: Answered) => {
      const asked = this.#waiting.shift()
      if ('failed' in answer) asked?.reject(this.#fault(answer.failed))
      else asked?.resolve(answer.value)
    })
    this.#thread.on('error', (error) => this.#over(reasonOf(error)))
    this.#thread.on('exit', () => this.#over('its reader ended'))
  }

  async columns(query: string): Promise<readonly string[] | Refusal> {
    try {
      return (await this.#ask({ what: 'columns', query })) as string[]
    } catch (thrown) {
      const reason = thrown instanceof Fault ? String(thrown.details['reason']) : reasonOf(thrown)
      return refuse('source_unreadable', { source: this.#path, reason })
    }
  }

  async *pages(query: string, signal: AbortSignal): AsyncGenerator<readonly Row[]> {
    await this.#ask({ what: 'begin', query })
    for (;;) {
      if (signal.aborted) throw fault('stopping', {})
      const page = (await this.#ask({ what: 'next' })) as Row[]
      if (page.length === 0) return
      yield page
    }
  }

  async row(query: string, value: unknown): Promise<Row | undefined> {
    return (await this.#ask({ what: 'row', query, value })) as Row | undefined
  }

  async close(): Promise<void> {
    this.#over('it is closed')
    await this.#thread.terminate()
  }

  #ask(asked: Asked): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#fault(this.#end))
    const answer = Promise.withResolvers<unknown>()
    this.#waiting.push(answer)
    this.#thread.postMessage(asked)
    return answer.promise
  }

  #over(reason: string): void {
    this.#end ??= reason
    for (const one of this.#waiting.splice(0)) one.reject(this.#fault(reason))
  }

  #fault(reason: string): Error {
    return fault('source_unavailable', { source: this.#path, reason })
  }
}
