import { createTransport } from 'nodemailer'
import type { Mail, Mailer } from '../../meter/alerts/email.ts'

/** SMTP (RFC 5321). `smtps:` is encrypted from the beginning; `smtp:` by STARTTLS where the server has
 *  it, and without it no password is sent but to this machine. */

export interface SmtpOptions {
  /** `smtps://mail.example:465`, `smtp://mail.example:587`. */
  readonly server: string
  readonly user?: string | undefined
  readonly password?: string | undefined
}

const CONNECT_MS_MAX = 5_000
const SILENCE_MS_MAX = 15_000
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/
const PORTS: { readonly [protocol: string]: number } = { 'smtp:': 587, 'smtps:': 465 }

export function openMailer({ server, user, password }: SmtpOptions): Mailer {
  const { protocol, hostname, port } = new URL(server)
  const secure = protocol === 'smtps:'
  const transport = createTransport({
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? (PORTS[protocol] ?? 25) : Number(port),
    secure,
    requireTLS: !secure && user !== undefined && !LOOPBACK.test(hostname),
    ...(user === undefined ? {} : { auth: { user, pass: password ?? '' } }),
    connectionTimeout: CONNECT_MS_MAX,
    greetingTimeout: CONNECT_MS_MAX,
    socketTimeout: SILENCE_MS_MAX,
    // A message is text: nothing in it is fetched.
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    async send({ from, to, subject, text, id }: Mail) {
      const domain = from.slice(from.lastIndexOf('@') + 1)
      const sent = await transport.sendMail({ from, to: [...to], subject, text, messageId: `<${id}@${domain}>` })
      if (sent.rejected.length > 0) throw new Error(`the server refused ${sent.rejected.length} of the addresses`)
    },
  }
}
