import * as z from 'zod'
import { CREDENTIAL_HEADER, engineUrl } from './endpoints.ts'
import { meta, secret, SECRET_REMEDY, text, wrong } from './scalars.ts'
import { isReference } from './secret.ts'

/** What reaches an object store. */
const storage = z.record(z.string().regex(/^[a-z][a-z0-9_]{0,63}$/), text(1024)).check((context) => {
  for (const [name, value] of Object.entries(context.value))
    if (!isReference(value) && CREDENTIAL_HEADER.test(name))
      context.issues.push({ ...wrong('is a literal secret', SECRET_REMEDY, value), path: [name] })
})

const EMBEDDED_INDEX = z.strictObject({
  kind: z.literal('embedded').meta(meta('In the data folder, searched in a process of Headworks. The default.')),
})

const POSTGRES_INDEX = z.strictObject({
  kind: z.literal('postgres').meta(meta('A Postgres server with pgvector 0.8 or newer.')),
  url: secret.meta(
    meta(
      'Where it is and who asks, `postgres://user:password@host:port/database`. Only as a reference: `env:NAME` or `file:PATH`.',
      { shown: 'secret reference', hidden: true },
    ),
  ),
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/)
    .default('headworks')
    .meta(meta('Schema of its own for the tables; made when it is missing.')),
})

const LANCEDB_INDEX = z.strictObject({
  kind: z.literal('lancedb').meta(meta('LanceDB files, in a folder or an object store.')),
  uri: text(2048)
    .default('lance')
    .meta(meta('A folder, from the data folder on, or `s3://bucket/prefix`, `gs://...`, `az://...`.')),
  storage: storage
    .meta(
      meta(
        'Settings of the object store as LanceDB names them: `aws_access_key_id`, `aws_secret_access_key`, `aws_endpoint`, `aws_region` and others. Values that are secrets must be references.',
        { shown: 'name → text or secret reference', hidden: true },
      ),
    )
    .optional(),
})

const QDRANT_INDEX = z.strictObject({
  kind: z.literal('qdrant').meta(meta('A Qdrant server, 1.10 or newer.')),
  url: engineUrl.meta(meta('Of its REST interface, such as `http://127.0.0.1:6333`.', { shown: 'URL' })),
  key: secret
    .meta(
      meta('Sent as `api-key`. Only as a reference: `env:NAME` or `file:PATH`.', {
        shown: 'secret reference',
        hidden: true,
      }),
    )
    .optional(),
  prefix: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/)
    .default('headworks')
    .meta(meta('What the names of its collections begin with.')),
})

/** Where the vectors of large segments lie. */
export const INDEX = z.discriminatedUnion('kind', [EMBEDDED_INDEX, POSTGRES_INDEX, LANCEDB_INDEX, QDRANT_INDEX])
