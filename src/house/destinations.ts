import type { LoadedConfig } from '../config/load.ts'
import type { Destination } from '../meter/alerts/destination.ts'
import { email } from '../meter/alerts/email.ts'
import { type Posting, slack, webhook } from '../meter/alerts/webhook.ts'

/** Where alerts go, as the configuration says. */
export function destinationsOf({ config, secrets }: LoadedConfig, posting: Posting): Destination[] {
  const { webhooks, slack: channels, email: mail, publicUrl } = config.alerts
  const found = [
    ...webhooks.map(({ url, secret }) => webhook(posting, url, secrets.get(secret ?? ''))),
    ...channels.flatMap(({ name, url }) => {
      const address = secrets.get(url)
      return address === undefined ? [] : [slack(posting, name, address, publicUrl)]
    }),
  ]
  if (mail === undefined) return found
  const { server, user, password, from, to } = mail
  const mailer = async () => {
    const { openMailer } = await import('../drivers/smtp/mailer.ts')
    return openMailer({ server, user, password: secrets.get(password ?? '')?.reveal() })
  }
  return [...found, email({ from, to, publicUrl, mailer })]
}
