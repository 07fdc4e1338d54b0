/** A server that speaks S3 and checks signatures: moto, from PyPI. Runs where HEADWORKS_TEST_MOTO names a
 *  Python that has it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { AwsClient } from 'aws4fetch'
import { freePort } from './house.ts'

const python = process.env['HEADWORKS_TEST_MOTO'] ?? 'python3'
const hasMoto = spawnSync(python, ['-c', 'import moto.server']).status === 0
export const skipMoto: string | false = hasMoto
  ? false
  : `${python} has no moto package: pip install -r tests/clients/s3.txt, and set HEADWORKS_TEST_MOTO`

const READY_MS_MAX = 30_000
const POLL_MS = 100

export interface Moto {
  readonly url: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  stop(): Promise<void>
}

export async function startMoto(): Promise<Moto> {
  const port = await freePort()
  const child = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {
    // The three calls that make a user need no key; from then on every signature is checked.
    env: { ...process.env, INITIAL_NO_AUTH_ACTION_COUNT: '3' },
    stdio: 'ignore',
  })
  const url = `http://127.0.0.1:${port}`
  for (let waited = 0; !(await answers(url)); waited += POLL_MS) {
    if (waited > READY_MS_MAX) throw new Error('moto did not start')
    await sleep(POLL_MS)
  }
  const iam = new AwsClient({ accessKeyId: 'a', secretAccessKey: 'b', service: 'iam', region: 'us-east-1' })
  const call = async (fields: { readonly [name: string]: string }): Promise<string> =>
    (
      await iam.fetch(`${url}/`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ Version: '2010-05-08', UserName: 'reader', ...fields }).toString(),
      })
    ).text()
  await call({ Action: 'CreateUser' })
  const key = await call({ Action: 'CreateAccessKey' })
  const statement = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] }
  await call({ Action: 'PutUserPolicy', PolicyName: 'all', PolicyDocument: JSON.stringify(statement) })
  const field = (name: string): string => new RegExp(`<${name}>([^<]+)`).exec(key)?.[1] ?? ''
  return { url, accessKeyId: field('AccessKeyId'), secretAccessKey: field('SecretAccessKey'), stop: () => end(child) }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/moto-api/`, { headers: { connection: 'close' } })).ok
  } catch {
    return false
  }
}

async function end(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}
