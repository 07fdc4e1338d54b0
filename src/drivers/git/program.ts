import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { fault, type Refusal, refuse } from '../../base/errors.ts'

/** The program `git`, kept from everything but reading: it asks nobody, runs no hook, and speaks only
 *  protocols that cannot start programs here. */

/** A list of a million files. */
const OUTPUT_BYTES_MAX = 256 * 2 ** 20
const LOCAL_MS = 120_000
/** Of fetching a repository. */
const REMOTE_MS = 1_800_000

export class GitError extends Error {}

interface Asked {
  readonly signal: AbortSignal
  readonly isRemote?: boolean
}

/** What it prints. Rejects with a `GitError` that has its last line. */
export function git(folder: string, words: readonly string[], { signal, isRemote = false }: Asked): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      'git',
      [...settings(isRemote), '-C', folder, ...words],
      { env: environment(), maxBuffer: OUTPUT_BYTES_MAX, timeout: isRemote ? REMOTE_MS : LOCAL_MS, signal },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout)
        const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
        const said = stderr.trim().split('\n').at(-1) ?? ''
        reject(
          new GitError(
            isMissing ? 'the program `git` or the folder is not there' : (said || error.message).slice(0, 300),
          ),
        )
      },
    )
  })
}

const ALWAYS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'submodule.recurse=false',
  'http.followRedirects=false',
  'protocol.allow=never',
] as const
const REMOTE = ['https', 'http', 'ssh', 'git'].map((one) => `protocol.${one}.allow=always`)

const settings = (isRemote: boolean): string[] =>
  (isRemote ? [...ALWAYS, ...REMOTE] : ALWAYS).flatMap((one) => ['-c', one])

const environment = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => KEPT.test(name))),
  GIT_TERMINAL_PROMPT: '0',
  GIT_NO_LAZY_FETCH: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_SSH_COMMAND: 'ssh -o BatchMode=yes',
  LC_ALL: 'C',
})

const KEPT = /^(?:PATH|HOME|USER|TMPDIR|SSH_AUTH_SOCK|XDG_CONFIG_HOME|SSL_CERT_(?:FILE|DIR)|https?_proxy|no_proxy)$/i

/** Objects of a repository, by one process that stays while they are read. */
export class Blobs {
  readonly #folder: string
  readonly #bytesMax: number
  #process: ChildProcessWithoutNullStreams | undefined
  #ended: Promise<void> | undefined
  #received: Buffer[] = []
  #receivedBytes = 0
  #wake: () => void = () => {}
  #isOver = false
  #turn: Promise<unknown> = Promise.resolve()

  constructor(folder: string, bytesMax: number) {
    this.#folder = folder
    this.#bytesMax = bytesMax
  }

  /** One after the other, in the order asked. */
  read(id: string): Promise<Uint8Array | Refusal> {
    const mine = this.#turn.then(() => this.#read(id))
    this.#turn = mine.catch(() => {})
    return mine
  }

  async close(): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.#ended
  }

  async #read(id: string): Promise<Uint8Array | Refusal> {
    this.#start().stdin.write(`${id}\n`)
    // `<id> blob <size>\n<content>\n`, or `<id> missing\n` (git-cat-file(1), batch output).
    const size = Number(/ blob (\d+)$/.exec(await this.#line())?.[1] ?? -1)
    if (size < 0) return refuse('document_unreadable', { reason: 'the repository lacks it' })
    if (size <= this.#bytesMax) return (await this.#take(size + 1)).subarray(0, size)
    for (let left = size + 1; left > 0;) left -= (await this.#take(Math.min(left, 2 ** 20))).length
    return refuse('document_too_large', { limitBytes: this.#bytesMax, detail: '' })
  }

  #start(): ChildProcessWithoutNullStreams {
    if (this.#process !== undefined) return this.#process
    const child = spawn('git', [...settings(false), '-C', this.#folder, 'cat-file', '--batch'], { env: environment() })
    this.#process = child
    child.stdout.on('data', (piece: Buffer) => {
      this.#received.push(piece)
      this.#receivedBytes += piece.length
      this.#wake()
    })
    child.stderr.resume()
    child.stdin.on('error', () => {}) // Its end is told by `close`.
    this.#ended = new Promise((resolve) => {
      const over = (): void => {
        this.#isOver = true
        this.#wake()
        resolve()
      }
      child.once('error', over)
      child.once('close', over)
    })
    return child
  }

  async #line(): Promise<string> {
    for (let wanted = 1; ; wanted = this.#receivedBytes + 1) {
      await this.#until(wanted)
      const end = this.#joined().indexOf(0x0a)
      if (end !== -1) return (await this.#take(end + 1)).subarray(0, end).toString('latin1')
    }
  }

  async #take(bytes: number): Promise<Buffer> {
    await this.#until(bytes)
    const all = this.#joined()
    this.#received = [all.subarray(bytes)]
    this.#receivedBytes = all.length - bytes
    return all.subarray(0, bytes)
  }

  async #until(bytes: number): Promise<void> {
    while (this.#receivedBytes < bytes) {
      if (this.#isOver) throw fault('source_unavailable', { source: this.#folder, reason: '`git cat-file` ended' })
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  #joined(): Buffer {
    const [first] = this.#received
    const all = this.#received.length === 1 && first !== undefined ? first : Buffer.concat(this.#received)
    this.#received = [all]
    return all
  }
}
