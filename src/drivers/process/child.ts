import { fork, type ChildProcess } from 'node:child_process'
import { sleep, type Clock, type Timer } from '../../base/clock.ts'
import { type Fault, fault, reasonOf } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { Channel, type Methods } from './channel.ts'

/** A role of Headworks in a process of its own, asked by name and argument over Node's IPC
 *  channel. It is started on the first call, started again after a crash, and ends with us. */

export interface ChildOptions {
  /** The program to run (`main.ts` or its compiled form) and the role it shall play. */
  readonly entry: string
  readonly role: string
  /** What it is called in the log and in faults; the role, unless several play it. */
  readonly name?: string
  readonly arguments?: readonly string[]
  /** Told through the environment, which unlike arguments is not for everybody to see. */
  readonly environment?: { readonly [name: string]: string }
  /** V8 heap limit. */
  readonly heapMb: number
  /** Ends the child after this long without a call; the next one starts it again. Absent: it stays. */
  readonly idleMs?: number
  readonly clock: Clock
  readonly log: Log
  /** What it may ask us. */
  readonly methods?: Methods
  /** Called after every start, before any call: where a restarted child is told its state. Its
   *  own calls go through `call`; others wait for it. Where it rejects, the child is ended. */
  readonly prepare?: (call: Child['call']) => Promise<void>
  /** It ended and was not meant to. `quiet`: all that it still had sent is answered. */
  readonly onDeath?: (reason: string, quiet: Promise<void>) => void
}

interface CallOptions {
  readonly timeoutMs?: number
  /** Past it, a child that answered others meanwhile is busy and not hung: it lives, and the call alone
   *  fails (`overloaded`). */
  readonly isOneOfMany?: boolean
  /** A socket to listen on, that goes along. */
  readonly handle?: unknown
}

interface Running {
  readonly process: ChildProcess
  readonly channel: Channel
}

export class Child {
  readonly #options: ChildOptions
  readonly #deaths: Deaths
  readonly #stop = new AbortController()
  #running: Running | undefined
  /** Of the process that runs or is about to: rejects when it could not be made ready. */
  #ready: Promise<Running> | undefined
  #idle: Timer | undefined

  constructor(options: ChildOptions) {
    this.#options = options
    this.#deaths = new Deaths(options.clock)
  }

  get pid(): number | undefined {
    return this.#running?.process.pid
  }

  /** Starts it now rather than at the first call. Rejects where it cannot be made ready. */
  async start(): Promise<void> {
    await this.#start()
  }

  /** Runs `method` in the child. Rejects with the child's own `Fault`, with `child_died` when it
   *  ends first, or, past `timeoutMs`, by killing it. */
  async call<Value>(method: string, argument: unknown, options?: CallOptions): Promise<Value> {
    this.#idle?.cancel()
    const running = await this.#start()
    try {
      return await this.#ask<Value>(running, method, argument, options)
    } finally {
      if (running === this.#running && running.channel.waiting === 0) this.#restLater(running)
    }
  }

  /** Ends the child: politely by closing the channel, then by force after `graceMs`. */
  async stop(graceMs = 2000): Promise<void> {
    this.#stop.abort()
    this.#idle?.cancel()
    const child = this.#running?.process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    if (child.connected) child.disconnect()
    const timer = this.#options.clock.after(graceMs, () => child.kill('SIGKILL'))
    await gone
    timer.cancel()
  }

  /** Kills the child now; the next call starts a fresh one. */
  kill(reason = 'killed'): void {
    if (this.#running !== undefined) this.#kill(this.#running, reason)
  }

  #start(): Promise<Running> {
    if (this.#stop.signal.aborted) return Promise.reject(this.#gone('stopped'))
    this.#ready ??= this.#spawn()
    return this.#ready
  }

  async #spawn(): Promise<Running> {
    const { clock, prepare } = this.#options
    const pauseMs = this.#deaths.pauseMs()
    if (pauseMs > 0) await sleep(clock, pauseMs, this.#stop.signal)
    if (this.#stop.signal.aborted) throw this.#gone('stopped')
    const running = (this.#running = this.#fork())
    try {
      await prepare?.((method, argument, options) => this.#ask(running, method, argument, options))
      return running
    } catch (thrown) {
      this.#kill(running, reasonOf(thrown))
      throw thrown
    }
  }

  #fork(): Running {
    const { entry, role, heapMb, log, methods = {} } = this.#options
    const child = fork(entry, ['--role', role, ...(this.#options.arguments ?? [])], {
      serialization: 'advanced',
      execArgv: [`--max-old-space-size=${heapMb}`],
      env: { ...inherited(process.env), ...this.#options.environment },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const channel = new Channel(child, methods, (reason) => this.#gone(reason))
    const running = { process: child, channel }
    child.on('error', (error) => {
      log.write('error', 'child process', { role: this.#name, reason: error.message })
      if (child.pid === undefined) this.#died(running, error.message) // It never began, so nothing tells its end.
    })
    child.on('exit', (code, signal) => this.#died(running, signal ?? `code ${code ?? 0}`))
    return running
  }

  async #ask<Value>(
    running: Running,
    method: string,
    argument: unknown,
    { timeoutMs, handle, isOneOfMany = false }: CallOptions = {},
  ): Promise<Value> {
    const answer = running.channel.call<Value>(method, argument, handle)
    if (timeoutMs === undefined) return answer
    const reason = `no answer within ${timeoutMs} ms`
    let timedOut = false
    const late = Promise.withResolvers<Value>()
    const { answered } = running.channel
    const timer = this.#options.clock.after(timeoutMs, () => {
      if (isOneOfMany && running.channel.answered > answered)
        return late.reject(fault('overloaded', { what: `calls of the ${this.#name} process`, limit: reason }))
      timedOut = true
      this.#kill(running, reason)
    })
    try {
      return await Promise.race([answer, late.promise])
    } catch (thrown) {
      throw timedOut ? fault('child_died', { what: this.#name, reason, timedOut }) : thrown
    } finally {
      timer.cancel()
    }
  }

  /** An end that was wanted is not a death: nothing waits for it, and the next start does not
   *  pause. */
  #restLater(running: Running): void {
    const { idleMs, clock } = this.#options
    if (idleMs === undefined) return
    this.#idle?.cancel()
    this.#idle = clock.after(idleMs, () => {
      this.#running = undefined
      this.#ready = undefined
      if (running.process.connected) running.process.disconnect()
    })
  }

  get #name(): string {
    return this.#options.name ?? this.#options.role
  }

  #gone(reason: string): Fault {
    return fault('child_died', { what: this.#name, reason })
  }

  /** Not waiting until its end is reported: the next call must not reach a process that is dying. */
  #kill(running: Running, reason: string): void {
    running.process.kill('SIGKILL')
    this.#died(running, reason)
  }

  #died(running: Running, reason: string): void {
    if (running !== this.#running) return
    const { log, onDeath } = this.#options
    this.#running = undefined
    this.#ready = undefined
    this.#deaths.count()
    const wanted = this.#stop.signal.aborted
    if (!wanted) log.write('warn', 'child process ended', { role: this.#name, reason })
    running.channel.close(reason)
    if (!wanted) onDeath?.(reason, silent(running))
  }
}

/** Once the process has ended, its channel is read to the end and its last call is answered. */
async function silent({ process: child, channel }: Running): Promise<void> {
  if (child.pid !== undefined) await new Promise<void>((resolve) => child.once('close', () => resolve()))
  await channel.quiet()
}

/** Pauses between restarts of a child that dies again at once. */
const RESTART_PAUSES_MS = [0, 100, 500, 2000] as const
/** A child that has lived this long since the last death begins anew. */
const RECENT_MS = 10_000

class Deaths {
  readonly #clock: Clock
  #recent = 0
  #lastMs = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  count(): void {
    this.#recent++
    this.#lastMs = this.#clock.monotonicMs()
  }

  /** How long the next start has to wait. */
  pauseMs(): number {
    if (this.#clock.monotonicMs() - this.#lastMs >= RECENT_MS) this.#recent = 0
    return RESTART_PAUSES_MS[Math.min(this.#recent, RESTART_PAUSES_MS.length - 1)] ?? 0
  }
}

const INHERITED =
  /^(?:PATH|HOME|TMPDIR|TEMP|TZ|LANG|LC_\w+|SYSTEMROOT|NODE_(?:COMPILE_CACHE|OPTIONS|V8_COVERAGE|EXTRA_CA_CERTS|USE_SYSTEM_CA|TLS_REJECT_UNAUTHORIZED)|SSL_CERT_(?:FILE|DIR)|OPENSSL_CONF)$/i

/** A child parses what others wrote. It gets what Node itself needs of the environment, and none
 *  of the keys that lie there. */
const inherited = (all: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(all).filter(([name]) => INHERITED.test(name)))

/** The child's side: answers calls until the channel closes, then ends the process. */
export function serve(methods: Methods): Channel {
  const channel = new Channel(process, methods, (reason) =>
    fault('store_unavailable', { reason: `the main process is gone (${reason})` }),
  )
  process.on('disconnect', () => process.exit(0))
  // The terminal sends these to the whole group; the parent decides.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
  return channel
}
