import type { Clock } from '../../base/clock.ts'
import { reasonOf } from '../../base/errors.ts'
import type { Exchange, Headers, HttpClient } from '../../base/http.ts'
import { type Message, messageJson } from './alerts.ts'
import { type Destination, wordsOf } from './destination.ts'
import { signed } from './signature.ts'

/** Destinations behind an address of HTTP: signed webhooks in the manner of Standard Webhooks
 *  (standardwebhooks.com), and what takes the JSON of Slack's incoming webhooks (Mattermost, Rocket.Chat,
 *  Discord's `/slack`). */

export interface Posting {
  readonly clock: Clock
  /** Made when first needed. */
  readonly client: () => Promise<HttpClient>
}

const CONNECT_MS_MAX = 5_000
/** From sending to the end of the answer. */
const ANSWER_MS_MAX = 15_000
/** What an answer says is not read: its beginning, so that the connection can be used again. */
const ANSWER_BYTES_MAX = 64 * 1024

interface Secret {
  reveal(): string
}

export const webhook = (posting: Posting, url: string, secret?: Secret): Destination => ({
  kind: 'webhook',
  name: url,
  isSigned: secret !== undefined,
  bodyOf: (message) => JSON.stringify(messageJson(message)),
  send: (id, body, signal) => {
    const headers = signed(id, posting.clock.wallMs(), body, secret?.reveal())
    return post(posting, { url, headers, body }, signal)
  },
})

/** The address is the secret: who knows it may write. */
export const slack = (posting: Posting, name: string, url: Secret, publicUrl?: string): Destination => ({
  kind: 'slack',
  name,
  isSigned: false,
  bodyOf: (message) => JSON.stringify({ text: slackText(message, publicUrl) }),
  async send(_, body, signal) {
    const address = url.reveal()
    if (!/^https?:\/\/[^/]/.test(address)) return 'its secret is no http or https URL'
    return post(posting, { url: address, headers: {}, body }, signal)
  },
})

/** https://api.slack.com/reference/surfaces/formatting: three characters are escaped. */
function slackText(message: Message, publicUrl: string | undefined): string {
  const { title, lines } = wordsOf(message, publicUrl)
  const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
  return [`*${escaped(title).replace(/\*/g, '·')}*`, ...lines.map(escaped)].join('\n')
}

/** Why it was not taken; undefined where it was. Redirects are not followed: a body that is signed for
 *  one address goes to no other. */
async function post(
  { clock, client }: Posting,
  { url, headers, body }: { readonly url: string; readonly headers: Headers; readonly body: string },
  signal: AbortSignal,
): Promise<string | undefined> {
  const http = await client()
  return new Promise((resolve) => {
    let exchange: Exchange | undefined = undefined
    let status = 0
    let bytes = 0
    const end = (failure: string | undefined): void => {
      deadline.cancel()
      signal.removeEventListener('abort', stop)
      resolve(failure)
    }
    const give = (failure: string | undefined): void => {
      exchange?.abort()
      end(failure)
    }
    const stop = (): void => give('this process is stopping')
    const deadline = clock.after(ANSWER_MS_MAX, () => give(`no answer within ${ANSWER_MS_MAX} ms`))
    signal.addEventListener('abort', stop, { once: true })
    const taken = (): string | undefined => (status >= 200 && status < 300 ? undefined : `it answered ${status}`)
    exchange = http.start(
      {
        method: 'POST',
        url,
        headers: { 'content-type': 'application/json', 'user-agent': 'headworks', ...headers },
        body,
        connectTimeoutMs: CONNECT_MS_MAX,
      },
      {
        head: (code) => (status = code),
        data: (chunk) => {
          bytes += chunk.length
          if (bytes > ANSWER_BYTES_MAX) give(taken())
        },
        end: () => end(taken()),
        fail: (cause) => end(reasonOf(cause)),
      },
    )
  })
}
