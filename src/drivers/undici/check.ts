import { fault } from '../../base/errors.ts'
import type { HttpClient } from '../../base/http.ts'
import { askForJson } from '../../engine/exchange.ts'
import {
  readVerdict,
  type RemoteCheck,
  type RemoteQuestion,
  type RemoteVerdict,
} from '../../guard/guardrails/remote.ts'

export interface HttpCheckOptions {
  readonly name: string
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  readonly client: HttpClient
}

/** A guardrail behind an address. */
export class HttpCheck implements RemoteCheck {
  readonly #options: HttpCheckOptions

  constructor(options: HttpCheckOptions) {
    this.#options = options
  }

  async ask(question: RemoteQuestion, timeoutMs: number): Promise<RemoteVerdict> {
    const { client, name, url, headers } = this.#options
    const request = {
      method: 'POST' as const,
      url,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(question),
      connectTimeoutMs: timeoutMs,
    }
    const answer = await askForJson(client, name, request, AbortSignal.timeout(timeoutMs))
    const verdict = readVerdict(answer, question.texts.length)
    if (verdict === undefined) throw fault('engine_garbled', { engine: name, reason: 'its answer is no verdict' })
    return verdict
  }
}
