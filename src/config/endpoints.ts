import * as z from 'zod'
import { SECRET_REMEDY, wrong } from './scalars.ts'
import { isReference } from './secret.ts'

/** What a server at a URL is reached by. */

export const engineUrl = z.string().check((context) => {
  const url = URL.parse(context.value)
  const say = (message: string, remedy: string): void => void context.issues.push(wrong(message, remedy, context.value))
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return say(
      'is no http or https URL',
      "Write the base of the server's OpenAI interface, such as http://127.0.0.1:8000/v1.",
    )
  }
  if (url.username !== '' || url.password !== '')
    return say('carries a user name or password', 'Take it out of the URL; use `key` or `headers` with env:NAME.')
  if (url.search !== '' || url.hash !== '') return say('has a query or a fragment', 'End the URL with its path.')
})

/** Headers that say who is calling. */
export const CREDENTIAL_HEADER = /auth|key|token|secret|cookie|password|credential/i
/** Set by the client for each request, or by the connection. */
const OWN_HEADERS = new Set([
  'host',
  'content-length',
  'content-type',
  'transfer-encoding',
  'connection',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'accept-encoding',
])

export const headers = z.record(z.string(), z.string()).check((context) => {
  for (const [name, value] of Object.entries(context.value)) {
    const say = (message: string, remedy: string): void =>
      void context.issues.push({ ...wrong(message, remedy, value), path: [name] })
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/.test(name)) say('is no name of a header', 'Use letters, digits and "-".')
    else if (OWN_HEADERS.has(name.toLowerCase())) say('is set by Headworks itself', 'Take it out.')
    else if (isReference(value)) continue
    else if (CREDENTIAL_HEADER.test(name)) say('is a literal secret', SECRET_REMEDY)
    else if (!/^[\t\x20-\x7e]{0,1024}$/.test(value))
      say('is no value of a header', 'Use printable ASCII on one line, at most 1,024 characters.')
  }
})
