/** Starts Headworks as a user would, with a folder, an address and a key of its own, to be talked
 *  to over HTTP. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const root = dirname(dirname(import.meta.dirname))

export const ADMIN_KEY = `hw_${'0123456789abcdef'.repeat(2)}`

const READY_MS_MAX = 30_000
const STOP_MS_MAX = 15_000
const POLL_MS = 50

export interface RunningHouse {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** Of the main process. */
  readonly pid: number
  stop(): Promise<void>
  /** As a power cut would, with its children. What it had written stays in `folder`. */
  kill(): Promise<void>
  /** Writes headworks.yaml anew, whatever is in it, for the running house to take over. */
  configure(config: { readonly [section: string]: unknown }): void
  readonly folder: string
  /** What it wrote to its terminal so far. */
  said(): string
}

export interface HouseOptions {
  /** Documents of the collection `handbook`, by file name. Absent: the project's own. */
  readonly documents?: { readonly [name: string]: string }
  /** More of headworks.yaml. */
  readonly config?: { readonly [section: string]: unknown }
  /** Of a house that was killed, to go on in. */
  readonly folder?: string
  /** False: ready as soon as it takes requests, whatever it still reads. */
  readonly untilRead?: boolean
  /** Of `up`. */
  readonly words?: readonly string[]
}

export async function startHouse({
  documents,
  config = {},
  folder: earlier,
  untilRead = true,
  words = [],
}: HouseOptions = {}): Promise<RunningHouse> {
  const folder = earlier ?? mkdtempSync(join(tmpdir(), 'headworks-house-'))
  if (documents !== undefined) {
    mkdirSync(join(folder, 'documents'), { recursive: true })
    for (const [name, text] of Object.entries(documents)) writeFileSync(join(folder, 'documents', name), text)
  }
  const collections = { handbook: { sources: [{ path: join(folder, 'documents') }] } }
  const configure = (change: typeof config): void => {
    const file = documents === undefined ? change : { ...change, collections }
    // JSON is YAML. Renamed into its place, so that it is never seen half written.
    writeFileSync(join(folder, 'headworks.yaml.new'), JSON.stringify(file))
    renameSync(join(folder, 'headworks.yaml.new'), join(folder, 'headworks.yaml'))
  }
  configure(config)
  const port = await freePort()
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('HEADWORKS_') && name !== 'NODE_TEST_CONTEXT',
  )
  const child = spawn(process.execPath, [join(root, 'src', 'main.ts'), 'up', ...words], {
    cwd: folder,
    env: {
      ...Object.fromEntries(kept),
      HEADWORKS_CONFIG: join(folder, 'headworks.yaml'),
      HEADWORKS_DATA: join(folder, 'data'),
      HEADWORKS_LISTEN: `127.0.0.1:${port}`,
      HEADWORKS_ADMIN_KEY: ADMIN_KEY,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()))
  let ended = false
  const end = new Promise<void>((resolve) => child.on('close', () => resolve())).then(() => {
    ended = true
  })
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    const inTime = await Promise.race([end.then(() => true), sleep(STOP_MS_MAX, false, { ref: false })])
    if (!inTime) child.kill('SIGKILL')
    await end
    rmSync(folder, { recursive: true, force: true })
    if (!inTime) throw new Error(`Headworks did not stop within ${STOP_MS_MAX} ms. It said:\n${said}`)
  }
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await end
  }
  const url = `http://127.0.0.1:${port}`
  const expected = untilRead ? Object.keys(documents ?? { handbook: '' }).length : 0
  for (let waited = 0; !(await isServing(url, expected)); waited += POLL_MS) {
    if (ended || waited > READY_MS_MAX) {
      const how = ended ? 'ended by itself' : `was not ready within ${READY_MS_MAX} ms`
      await stop()
      throw new Error(`Headworks ${how}. It said:\n${said}`)
    }
    await sleep(POLL_MS)
  }
  return { url, pid: child.pid ?? 0, stop, kill, configure, folder, said: () => said }
}

/** Keeps no connection that a test which kills processes would meet again. */
const ONCE = { connection: 'close' }

/** Ready, and every document searchable. */
async function isServing(url: string, documents: number): Promise<boolean> {
  try {
    const ready = await fetch(`${url}/readyz`, { headers: ONCE })
    if (!ready.ok) return false
    if (documents === 0) return true
    const answer = await fetch(`${url}/api/collections/handbook/documents?limit=500`, {
      headers: { ...ONCE, authorization: `Bearer ${ADMIN_KEY}` },
    })
    if (!answer.ok) return false
    const listed = (await answer.json()) as { documents: unknown[] }
    return listed.documents.length >= documents
  } catch {
    return false
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
