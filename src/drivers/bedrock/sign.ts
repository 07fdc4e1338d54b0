import { AwsV4Signer } from 'aws4fetch'
import type { Clock } from '../../base/clock.ts'
import type { ClientRequest } from '../../base/http.ts'

/** Who calls: a Bedrock API key, or an access key that signs each request (Signature Version 4). */
export interface Credentials {
  readonly key?: Secret
  readonly accessKeyId?: Secret
  readonly secretAccessKey?: Secret
  readonly sessionToken?: Secret
  readonly region: string
}

interface Secret {
  reveal(): string
}

export async function signed(
  request: ClientRequest,
  { key, accessKeyId, secretAccessKey, sessionToken, region }: Credentials,
  clock: Pick<Clock, 'wallMs'>,
): Promise<ClientRequest> {
  const { method, url, headers, body } = request
  if (key !== undefined) return { ...request, headers: { ...headers, authorization: `Bearer ${key.reveal()}` } }
  if (accessKeyId === undefined || secretAccessKey === undefined) return request
  const named = Object.entries(headers).filter((one): one is [string, string] => one[1] !== undefined)
  const signer = new AwsV4Signer({
    method,
    url,
    headers: named,
    ...(body === undefined ? {} : { body }),
    accessKeyId: accessKeyId.reveal(),
    secretAccessKey: secretAccessKey.reveal(),
    ...(sessionToken === undefined ? {} : { sessionToken: sessionToken.reveal() }),
    service: 'bedrock',
    region,
    datetime: new Date(clock.wallMs()).toISOString().replace(/[:-]|\.\d{3}/g, ''),
  })
  const { headers: all } = await signer.sign()
  return { ...request, headers: Object.fromEntries(all) }
}
