import * as z from 'zod'
import { meta, secret, wrong } from './scalars.ts'

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
})
