import { reasonOf } from '../../base/errors.ts'
import { type Destination, wordsOf } from './destination.ts'

/** Messages as plain text by e-mail. */

export interface Mail {
  readonly from: string
  readonly to: readonly string[]
  readonly subject: string
  readonly text: string
  /** What is before the @ of the `Message-ID`: a mail that comes twice is known by it. */
  readonly id: string
}

export interface Mailer {
  /** Resolves once the server has taken it for every address. Rejects with an `Error`. */
  send(mail: Mail): Promise<void>
}

export interface EmailOptions {
  readonly from: string
  readonly to: readonly string[]
  readonly publicUrl?: string | undefined
  /** Made when first needed. */
  readonly mailer: () => Promise<Mailer>
}

const SUBJECT_UNITS_MAX = 200

export const email = ({ from, to, publicUrl, mailer }: EmailOptions): Destination => ({
  kind: 'email',
  name: to.join(', '),
  isSigned: false,
  bodyOf(message) {
    const { title, lines } = wordsOf(message, publicUrl)
    return JSON.stringify({
      subject: `[Headworks] ${title}`.slice(0, SUBJECT_UNITS_MAX),
      text: `${lines.join('\n')}\n`,
    })
  },
  async send(id, body, signal) {
    const { subject, text } = JSON.parse(body) as { readonly subject: string; readonly text: string }
    const stopped = Promise.withResolvers<string>()
    const stop = (): void => stopped.resolve('this process is stopping')
    signal.addEventListener('abort', stop, { once: true })
    try {
      const sent = mailer().then((one) => one.send({ from, to, subject, text, id }))
      return await Promise.race([sent.then(() => undefined, reasonOf), stopped.promise])
    } finally {
      signal.removeEventListener('abort', stop)
    }
  },
})
