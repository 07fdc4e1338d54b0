import * as z from 'zod'
import { meta, secret, text, wrong } from './scalars.ts'

const webhookUrl = z.string().check((context) => {
  const url = URL.parse(context.value)
  const say = (message: string, remedy: string): void => void context.issues.push(wrong(message, remedy, context.value))
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || context.value.length > 2048)
    return say(
      'is no http or https URL',
      'Write the address that takes the messages, such as https://ops.example/hook.',
    )
  if (url.username !== '' || url.password !== '')
    return say('carries a user name or password', 'Take it out of the URL; sign the messages with `secret` instead.')
  if (url.hash !== '') say('has a fragment', 'End the URL before the #.')
})

const smtpServer = z.string().check((context) => {
  const url = URL.parse(context.value)
  if (url !== null && /^smtps?:$/.test(url.protocol) && url.hostname !== '' && /^\/?$/.test(url.pathname))
    if (url.username === '' && url.password === '' && url.search === '' && url.hash === '') return
  context.issues.push(
    wrong(
      'is no address of a mail server',
      'Write smtps://host:465 or smtp://host:587; `user` and `password` stand apart.',
      context.value,
    ),
  )
})

const address = z
  .string()
  .max(254)
  .regex(/^[^\s@<>"(),:;]+@[^\s@<>"(),:;]+$/, 'is no address of e-mail')

/** What becomes of alerts. */
export const ALERTS = z.strictObject({
  webhooks: z
    .array(
      z.strictObject({
        url: webhookUrl.meta(meta('Where to POST every alert, as JSON. Redirects are not followed.', { shown: 'URL' })),
        secret: secret
          .meta(
            meta(
              'Signs the messages as Standard Webhooks has it (HMAC-SHA-256, in `webhook-signature`). Only as a reference: `env:NAME` or `file:PATH`; what begins with `whsec_` is base 64.',
              { shown: 'secret reference', hidden: true },
            ),
          )
          .optional(),
      }),
    )
    .max(16)
    .default([])
    .meta(meta('Who is told of alerts. What cannot be delivered is tried again for some days.')),
  slack: z
    .array(
      z.strictObject({
        name: text(64).meta(meta('What it is called in lists and logs, such as the channel.')),
        url: secret.meta(
          meta('The address of an incoming webhook of Slack, or of what takes the same JSON. Only as a reference.', {
            shown: 'secret reference',
            hidden: true,
          }),
        ),
      }),
    )
    .max(16)
    .default([])
    .meta(meta('Channels that are told of alerts.')),
  email: z
    .strictObject({
      server: smtpServer.meta(
        meta('`smtps://host:465`, or `smtp://host:587`, which is encrypted where the server can.', { shown: 'URL' }),
      ),
      user: text(256).meta(meta('Who signs in. Then nothing is sent without encryption.')).optional(),
      password: secret.meta(meta('Only as a reference.', { shown: 'secret reference', hidden: true })).optional(),
      from: address.meta(meta('The address that mails come from.')),
      to: z.array(address).min(1).max(16).meta(meta('The addresses they go to.')),
    })
    .meta(meta('Mails about alerts, by SMTP.'))
    .optional(),
  publicUrl: webhookUrl
    .meta(meta('Where readers of messages reach Headworks: what links in texts begin with.', { shown: 'URL' }))
    .optional(),
})
