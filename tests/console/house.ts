import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface RunningHouse {
  readonly url: string
  readonly key: string
  stop(): Promise<void>
}

/** Starts the real program on a free port over an empty data folder, and waits until it can
 *  be asked. Rejects with what it printed when it ends instead. */
export async function startHouse(): Promise<RunningHouse> {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-console-'))
  const key = `hw_${randomBytes(16).toString('hex')}`
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
  const child = spawn(process.execPath, [main, 'up'], {
    cwd: folder,
    env: {
      ...process.env,
      HEADWORKS_DATA: join(folder, 'data'),
      HEADWORKS_LISTEN: '127.0.0.1:0',
      HEADWORKS_ADMIN_KEY: key,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
    await rm(folder, { recursive: true, force: true })
  }
  const printed: string[] = []
  const url = await new Promise<string | undefined>((resolve) => {
    const read = (part: Buffer) => {
      printed.push(part.toString())
      const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(printed.join('')) ?? []
      if (found !== undefined) resolve(found)
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    void ended.then(() => resolve(undefined))
  })
  if (url === undefined) {
    await stop()
    throw new Error(`the house did not start:\n${printed.join('')}`)
  }
  while (!(await isStocked(url, key))) await new Promise((resolve) => setTimeout(resolve, 50))
  return { url, key, stop }
}

/** Whether the first ingest is through, so that there is something to ask. */
async function isStocked(url: string, key: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${key}` }
  const response = await fetch(`${url}/api/collections`, { headers }).catch(() => undefined)
  if (response?.ok !== true) return false
  const { collections } = (await response.json()) as { collections: { chunks: number }[] }
  return collections.some(({ chunks }) => chunks > 0)
}
