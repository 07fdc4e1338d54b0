import { AwsClient } from 'aws4fetch'
import { Parser } from 'htmlparser2'
import { fault, Refusal, refuse } from '../../base/errors.ts'
import type { Fetched, Fetcher } from '../../base/fetcher.ts'
import type { SourceConfig } from '../../config/schema.ts'
import type { Content, Item, OpenSource } from '../../retrieval/sources.ts'

type S3Config = Extract<SourceConfig, { readonly kind: 's3' }>

export interface S3Options {
  readonly fetcher: Fetcher
  /** What the configuration's reference stands for, or the text itself. */
  readonly reveal: (text: string) => string
  /** Of one object. */
  readonly bytesMax: number
}

/** Of one page of a list: a thousand keys of a kilobyte each, escaped. */
const LIST_BYTES_MAX = 16 * 2 ** 20

/** Objects of an S3-compatible store: `ListObjectsV2` and `GetObject`, signed by Signature Version 4.
 *  ETags tell whether an object changed. */
export async function openS3(config: S3Config, options: S3Options, signal: AbortSignal): Promise<OpenSource | Refusal> {
  const bucket = new Bucket(config, options)
  const first = await bucket.page(undefined, signal)
  return first instanceof Refusal ? first : new S3Source(config, bucket, first)
}

class S3Source implements OpenSource {
  readonly locator: string
  readonly #bucket: Bucket
  readonly #config: S3Config
  readonly #first: Page

  constructor(config: S3Config, bucket: Bucket, first: Page) {
    this.locator = `s3://${config.bucket}/${config.prefix}`
    this.#config = config
    this.#bucket = bucket
    this.#first = first
  }

  async *list(signal: AbortSignal): AsyncGenerator<Item> {
    for (let page = this.#first; ;) {
      for (const object of page.objects) yield this.#item(object)
      if (page.next === undefined || signal.aborted) return
      const next = await this.#bucket.page(page.next, signal)
      if (next instanceof Refusal)
        throw fault('source_unavailable', { source: this.locator, reason: String(next.details['reason']) })
      page = next
    }
  }

  async close(): Promise<void> {}

  #item({ key, etag }: StoredObject): Item {
    // What ends in a slash stands for a folder.
    if (key.endsWith('/')) return { kind: 'ignored' }
    return {
      kind: 'document',
      uri: `s3://${this.#config.bucket}/${encoded(key)}`,
      name: key.slice(key.lastIndexOf('/') + 1),
      ...(etag === undefined ? {} : { revision: etag }),
      read: (_, signal) => this.#bucket.read(key, signal),
    }
  }
}

interface StoredObject {
  readonly key: string
  readonly etag?: string
}

interface Page {
  readonly objects: readonly StoredObject[]
  readonly next?: string
}

class Bucket {
  readonly #config: S3Config
  readonly #options: S3Options
  readonly #url: string
  readonly #signer: AwsClient | undefined

  constructor(config: S3Config, options: S3Options) {
    const { bucket, endpoint, region, accessKeyId, secretAccessKey, sessionToken } = config
    this.#config = config
    this.#options = options
    this.#url =
      endpoint === undefined
        ? `https://${bucket}.s3.${region}.amazonaws.com`
        : `${endpoint.replace(/\/+$/, '')}/${bucket}`
    const { reveal } = options
    if (accessKeyId !== undefined && secretAccessKey !== undefined)
      this.#signer = new AwsClient({
        accessKeyId: reveal(accessKeyId),
        secretAccessKey: reveal(secretAccessKey),
        service: 's3',
        region,
        ...(sessionToken === undefined ? {} : { sessionToken: reveal(sessionToken) }),
      })
  }

  async page(token: string | undefined, signal: AbortSignal): Promise<Page | Refusal> {
    const query = new URLSearchParams({ 'list-type': '2', 'encoding-type': 'url', prefix: this.#config.prefix })
    if (token !== undefined) query.set('continuation-token', token)
    // In a query to be signed a blank is %20.
    const answer = await this.#get(`/?${query.toString().replaceAll('+', '%20')}`, LIST_BYTES_MAX, signal)
    if (answer instanceof Refusal) return answer
    const text = new TextDecoder().decode(answer.bytes)
    if (answer.status !== 200) return this.#refuse(answer.status, text)
    return readPage(text) ?? this.#refuse(answer.status, 'its answer is no list of objects')
  }

  async read(key: string, signal: AbortSignal): Promise<Content | Refusal> {
    const answer = await this.#get(`/${encoded(key)}`, this.#options.bytesMax, signal)
    if (answer instanceof Refusal) return answer
    const { status, bytes, headers } = answer
    if (status === 404) return refuse('document_absent', { reason: 'it was deleted meanwhile' })
    if (status !== 200)
      return refuse('document_unreadable', { reason: codeOf(status, new TextDecoder().decode(bytes)) })
    const { etag, 'content-type': mediaType } = headers
    return {
      bytes,
      ...(etag === undefined ? {} : { revision: etag }),
      ...(mediaType === undefined ? {} : { mediaType }),
    }
  }

  async #get(path: string, bytesMax: number, signal: AbortSignal): Promise<Fetched | Refusal> {
    const url = this.#url + path
    const signed = await this.#signer?.sign(url, { method: 'GET' })
    const headers = signed === undefined ? {} : Object.fromEntries(signed.headers)
    const answer = await this.#options.fetcher.get(url, { headers, bytesMax, signal })
    if (!(answer instanceof Refusal) && (answer.status >= 500 || answer.status === 429))
      throw fault('source_unavailable', { source: this.#url, reason: `it answers ${answer.status}` })
    return answer
  }

  #refuse(status: number, text: string): Refusal {
    return refuse('source_unreadable', { source: `s3://${this.#config.bucket}`, reason: codeOf(status, text) })
  }
}

/** `403 AccessDenied`, as the store says it. */
const codeOf = (status: number, text: string): string =>
  `${status} ${(/<Code>([^<]{1,80})<\/Code>/.exec(text)?.[1] ?? text.slice(0, 80)).trim()}`

/** By RFC 3986, as requests are signed: `encodeURIComponent` leaves five characters more. */
const encoded = (key: string): string => key.split('/').map(strict).join('/')

const strict = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)

/** The answer to `ListObjectsV2`; undefined where it is none. */
function readPage(xml: string): Page | undefined {
  const objects: { key: string; etag?: string }[] = []
  let next = ''
  let isList = false
  let isEncoded = false
  let text = ''
  const parser = new Parser(
    {
      onopentag(name) {
        text = ''
        if (name === 'ListBucketResult') isList = true
        else if (name === 'Contents') objects.push({ key: '' })
      },
      ontext(piece) {
        text += piece
      },
      onclosetag(name) {
        const last = objects.at(-1)
        if (name === 'Key' && last !== undefined) last.key = text
        else if (name === 'ETag' && last !== undefined) last.etag = text
        else if (name === 'NextContinuationToken') next = text
        else if (name === 'EncodingType') isEncoded = text === 'url'
      },
    },
    { xmlMode: true, decodeEntities: true },
  )
  try {
    parser.end(xml)
    // Not every server does what was asked.
    if (isEncoded) for (const object of objects) object.key = decodeURIComponent(object.key.replaceAll('+', ' '))
  } catch {
    return undefined
  }
  if (!isList) return undefined
  return next === '' ? { objects } : { objects, next }
}
