import * as z from 'zod'
import { PLAIN_NAME } from './forms.ts'
import { integer, meta, secret, text, wrong } from './scalars.ts'

/** Where the documents of a collection come from. */

/** Attributes of one document, as OpenAI's files have them. */
export const ATTRIBUTES_MAX = 16
export const ATTRIBUTE_NAME_UNITS_MAX = 64
export const ATTRIBUTE_UNITS_MAX = 512

/** Names of attributes that are ours. */
export const RESERVED_ATTRIBUTES: readonly string[] = ['document', 'trust']

export const TRUST = ['trusted', 'internal', 'untrusted'] as const

const attribute = z.union([z.string().max(ATTRIBUTE_UNITS_MAX), z.number(), z.boolean()])

const of = {
  trust: z
    .enum(TRUST)
    .meta(
      meta(
        'How far what stands there may be believed: `trusted`, `internal` or `untrusted`. Without it `internal`; for `urls` and `sitemap` `untrusted`.',
      ),
    )
    .optional(),
  metadata: z
    .record(z.string().min(1).max(ATTRIBUTE_NAME_UNITS_MAX), attribute)
    .check((context) => {
      const ours = Object.keys(context.value).find((name) => RESERVED_ATTRIBUTES.includes(name))
      if (ours !== undefined)
        context.issues.push(wrong(`has an entry "${ours}", a name that is ours`, 'Rename it.', undefined))
      if (Object.keys(context.value).length > ATTRIBUTES_MAX)
        context.issues.push(
          wrong(`has more than ${ATTRIBUTES_MAX} entries`, `Keep it to ${ATTRIBUTES_MAX}.`, undefined),
        )
    })
    .meta(
      meta('Attributes of every document from there, which searches can filter by: texts, numbers, true or false.', {
        shown: 'name → text, number or boolean',
      }),
    )
    .optional(),
}

/** Of sources that are read as a whole. */
const again = {
  every: z
    .string()
    .regex(/^[1-9]\d{0,3}[mhd]$/)
    .meta(
      meta(
        'How often it is read again by itself: `15m`, `6h`, `7d`. Without it, at every start and when somebody asks. One that fails is asked half as often each time, down to once a day.',
        { shown: 'duration' },
      ),
    )
    .optional(),
}

const httpUrl = text(4096).check((context) => {
  const url = URL.parse(context.value)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    context.issues.push(wrong('is no http or https URL', 'Write it whole, such as https://example.com/', context.value))
  else if (url.username !== '' || url.password !== '')
    context.issues.push(wrong('carries a user name or password', 'Take it out of the URL.', context.value))
})

const repository = text(4096).check((context) => {
  const { value } = context
  // What begins with a dash would be an option of `git`, and `ext::` runs a program.
  const odd = value.startsWith('-') || /^[a-z+]*::/i.test(value)
  const schemes = /^(?:https?|ssh|git):\/\/[^\s]+$/
  if (odd || (value.includes('://') && !schemes.test(value)))
    context.issues.push(wrong('is no repository', 'Write a path, or an https or ssh URL.', value))
  else if (/^https?:/.test(value) && URL.parse(value)?.password)
    context.issues.push(
      wrong('carries a password', 'Take it out of the URL; let a credential helper of git give it.', value),
    )
})

const query = text(20_000).meta(
  meta(
    'One SELECT. It names its columns `id` and `text`, and may have `title`, `media_type` and `updated_at` (rows with the same value are not read again); every other column becomes an attribute.',
  ),
)

/** Names the documents' URIs begin with, where nothing else does. */
const named = (fallback: string) =>
  z
    .string()
    .regex(PLAIN_NAME)
    .default(fallback)
    .meta(meta("Begins its documents' URIs; two such sources of a collection need different ones."))

const FOLDER = z.strictObject({
  kind: z
    .literal('folder')
    .default('folder')
    .meta(meta('A file or folder of this machine; the kind where none is named.')),
  path: text(4096).meta(
    meta('A file or folder. A relative path starts at the folder of this file.', { shown: 'path' }),
  ),
  ...again,
  ...of,
})

const GLOB = z.strictObject({
  kind: z.literal('glob').meta(meta('Files of this machine whose paths match a pattern.')),
  pattern: text(4096).meta(
    meta('A path with `*`, `**`, `?`, `[abc]` or `{a,b}`. A relative one starts at the folder of this file.', {
      shown: 'path pattern',
    }),
  ),
  ...again,
  ...of,
})

const S3 = z.strictObject({
  kind: z.literal('s3').meta(meta('Objects of an S3-compatible store.')),
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,62}$/)
    .meta(meta('The bucket.')),
  prefix: z.string().max(1024).default('').meta(meta('Only objects whose keys begin so.')),
  region: text(64).default('us-east-1').meta(meta('Its region.')),
  endpoint: httpUrl
    .meta(meta("URL of the store, for others than Amazon's. Buckets are then addressed by path.", { shown: 'URL' }))
    .optional(),
  accessKeyId: text(256)
    .meta(meta('Id of the access key, or a reference to it. Without it, requests are not signed.'))
    .optional(),
  secretAccessKey: secret
    .meta(
      meta('Its secret. Only as a reference: `env:NAME` or `file:PATH`.', { shown: 'secret reference', hidden: true }),
    )
    .optional(),
  sessionToken: secret
    .meta(meta('Of temporary credentials. Only as a reference.', { shown: 'secret reference', hidden: true }))
    .optional(),
  ...again,
  ...of,
})

const URLS = z.strictObject({
  kind: z
    .literal('urls')
    .meta(
      meta('Pages of the web, by name. Only public addresses are called, unless `ingest.privateHosts` names the host.'),
    ),
  name: named('urls'),
  urls: z.array(httpUrl).min(1).max(10_000).meta(meta('The pages.')),
  ...again,
  ...of,
})

const SITEMAP = z.strictObject({
  kind: z.literal('sitemap').meta(meta('The pages a sitemap lists, as far as the robots.txt of their host allows.')),
  url: httpUrl.meta(meta('The sitemap, or an index of sitemaps.', { shown: 'URL' })),
  pagesMax: integer(1, 1_000_000).default(10_000).meta(meta('Pages read, at most.')),
  ...again,
  ...of,
})

const GIT = z.strictObject({
  kind: z.literal('git').meta(meta('The tracked files of a Git repository. Needs the program `git`.')),
  repository: repository.meta(
    meta('A path, or an https or ssh URL. A relative path starts at the folder of this file.', {
      shown: 'path or URL',
    }),
  ),
  branch: text(256)
    .regex(/^(?!-)[^\s~^:?*[\\]+$/)
    .meta(meta('A branch or tag. Without it, the one that is checked out.'))
    .optional(),
  folder: text(1024).meta(meta('Only files in this folder of it.')).optional(),
  ...again,
  ...of,
})

const SQLITE = z.strictObject({
  kind: z.literal('sqlite').meta(meta('The rows of a query, from a SQLite file that is opened read-only.')),
  name: named('sqlite'),
  path: text(4096).meta(meta('The file. A relative path starts at the folder of this file.', { shown: 'path' })),
  query,
  ...again,
  ...of,
})

const POSTGRES = z.strictObject({
  kind: z.literal('postgres').meta(meta('The rows of a query, from PostgreSQL, in a read-only transaction.')),
  name: named('postgres'),
  url: secret.meta(
    meta(
      'Where it is and who asks, as postgres://user:password@host/database. Only as a reference: `env:NAME` or `file:PATH`.',
      {
        shown: 'secret reference',
        hidden: true,
      },
    ),
  ),
  query,
  ...again,
  ...of,
})

const NATS = z.strictObject({
  kind: z
    .literal('nats')
    .meta(meta('A stream of NATS JetStream: every message is a document, as for `POST .../documents`.')),
  servers: z.array(text(1024)).min(1).max(64).meta(meta('Its servers, as host:port.')),
  stream: text(256).meta(meta('The stream.')),
  consumer: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/)
    .default('headworks')
    .meta(meta('The durable consumer; made if it does not exist.')),
  subject: text(256).meta(meta('Only messages of this subject.')).optional(),
  token: secret
    .meta(
      meta('Token to log in with. Only as a reference: `env:NAME` or `file:PATH`.', {
        shown: 'secret reference',
        hidden: true,
      }),
    )
    .optional(),
  ...of,
})

const KAFKA = z.strictObject({
  kind: z
    .literal('kafka')
    .meta(
      meta(
        'A topic of Kafka: every message is a document, as for `POST .../documents`; one without a value removes the document its key names.',
      ),
    ),
  brokers: z.array(text(1024)).min(1).max(64).meta(meta('Brokers to begin with, as host:port.')),
  topic: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,249}$/)
    .meta(meta('The topic.')),
  group: text(255)
    .default('headworks')
    .meta(meta('The consumer group. Collections that read the same topic need one each.')),
  tls: z.boolean().default(false).meta(meta('Whether the brokers are called over TLS.')),
  mechanism: z
    .enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
    .default('SCRAM-SHA-512')
    .meta(meta('How `user` and `password` are proved.')),
  user: text(1024).meta(meta('Who logs in. Without it, nobody does.')).optional(),
  password: secret
    .meta(
      meta('Only as a reference: `env:NAME` or `file:PATH`.', {
        shown: 'secret reference',
        hidden: true,
      }),
    )
    .optional(),
  ...of,
})

export const SOURCE = z.discriminatedUnion('kind', [
  FOLDER,
  GLOB,
  S3,
  URLS,
  SITEMAP,
  GIT,
  SQLITE,
  POSTGRES,
  NATS,
  KAFKA,
])

/** Fields of sources that refer to secrets, or may. */
export const SOURCE_SECRETS: readonly string[] = [
  'accessKeyId',
  'secretAccessKey',
  'sessionToken',
  'url',
  'token',
  'password',
]

/** Of several sources the second one that would take the place of the first. */
export function findTwin(sources: readonly z.output<typeof SOURCE>[]): number | undefined {
  const seen = new Set<string>()
  const at = sources.findIndex((source) => {
    if (!('name' in source)) return false
    const name = `${source.kind} ${source.name}`
    return seen.has(name) || !seen.add(name)
  })
  return at === -1 ? undefined : at
}
