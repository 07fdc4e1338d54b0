import { fork, type ChildProcess } from 'node:child_process'
import { sleep, type Clock, type Timer } from '../../base/clock.ts'
import { Fault, fault, toProblem, type ErrorCode } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'

/** A role of Headworks in a process of its own, asked by name and argument over Node's IPC
 *  channel. It is started on the first call, started again after a crash, and ends with us. */

export interface ChildOptions {
  /** The program to run (`main.ts` or its compiled form) and the role it shall play. */
  readonly entry: string
  readonly role: string
  readonly arguments?: readonly string[]
  /** V8 heap limit. */
  readonly heapMb: number
  /** Ends the child after this long without a call; the next one starts it again. Absent: it stays. */
  readonly idleMs?: number
  readonly clock: Clock
  readonly log: Log
  /** Called after every start, before any call: where a restarted child is told its state. Its
   *  own calls go through `child.call`; others wait for it. */
  readonly prepare?: (call: Child['call']) => Promise<void>
}

interface Waiting {
  resolve(value: unknown): void
  reject(reason: Fault): void
  readonly timer: Timer | undefined
}

type ToChild = { readonly id: number; readonly method: string; readonly argument: unknown }
type FromChild =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly code: ErrorCode; readonly details: { readonly [name: string]: unknown } }

/** Pauses between restarts of a child that dies again at once. */
const RESTART_PAUSES_MS = [0, 100, 500, 2000] as const

export class Child {
  readonly #options: ChildOptions
  #process: ChildProcess | undefined
  #ready: Promise<void> | undefined
  #waiting = new Map<number, Waiting>()
  #nextId = 1
  #deaths = 0
  #diedAtMs = -Infinity
  readonly #stop = new AbortController()
  #idle: Timer | undefined

  constructor(options: ChildOptions) {
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Runs `method` in the child. Rejects with the child's own `Fault`, with `child_died` when it
   *  ends first, or, past `timeoutMs`, by killing it. */
  async call<Value>(method: string, argument: unknown, options: { readonly timeoutMs?: number } = {}): Promise<Value> {
    this.#idle?.cancel()
    await this.#start()
    return this.#send<Value>(method, argument, options.timeoutMs)
  }

  /** Ends the child: politely by closing the channel, then by force after `graceMs`. */
  async stop(graceMs = 2000): Promise<void> {
    this.#stop.abort()
    this.#idle?.cancel()
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    if (child.connected) child.disconnect()
    const timer = this.#options.clock.after(graceMs, () => child.kill('SIGKILL'))
    await gone
    timer.cancel()
  }

  /** Kills the child now; the next call starts a fresh one. */
  kill(): void {
    const child = this.#process
    if (child === undefined) return
    child.kill('SIGKILL')
    this.#died(child, 'killed')
  }

  #start(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(this.#gone('stopped'))
    this.#ready ??= this.#spawn()
    return this.#ready
  }

  async #spawn(): Promise<void> {
    const { entry, role, heapMb, clock, log } = this.#options
    const recent = clock.monotonicMs() - this.#diedAtMs < 10_000
    if (!recent) this.#deaths = 0
    const pauseMs = RESTART_PAUSES_MS[Math.min(this.#deaths, RESTART_PAUSES_MS.length - 1)] ?? 0
    if (pauseMs > 0) await sleep(clock, pauseMs, this.#stop.signal)
    if (this.#stop.signal.aborted) throw this.#gone('stopped')
    const child = fork(entry, ['--role', role, ...(this.#options.arguments ?? [])], {
      serialization: 'advanced',
      execArgv: [`--max-old-space-size=${heapMb}`],
      env: inherited(process.env),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#process = child
    child.on('message', (message) => this.#receive(message as FromChild))
    child.on('error', (error) => {
      log.write('error', 'child process', { role, reason: error.message })
      if (child.pid === undefined) this.#died(child, error.message) // It never began, so nothing tells its end.
    })
    child.on('exit', (code, signal) => this.#died(child, signal ?? `code ${code ?? 0}`))
    if (this.#options.prepare !== undefined) {
      await this.#options.prepare((method, argument, options) => this.#send(method, argument, options?.timeoutMs))
    }
  }

  #send<Value>(method: string, argument: unknown, timeoutMs: number | undefined): Promise<Value> {
    const child = this.#process
    const { role, clock } = this.#options
    return new Promise<Value>((resolve, reject) => {
      if (child === undefined || !child.connected) return reject(this.#gone('not running'))
      const id = this.#nextId++
      const timer =
        timeoutMs === undefined
          ? undefined
          : clock.after(timeoutMs, () => {
              this.#waiting.delete(id)
              child.kill('SIGKILL')
              reject(fault('child_died', { what: role, reason: `no answer within ${timeoutMs} ms`, timedOut: true }))
              // Not when its end is reported: the next call must not reach a process that is dying.
              this.#died(child, `no answer within ${timeoutMs} ms`)
            })
      this.#waiting.set(id, { resolve, reject, timer })
      child.send({ id, method, argument } satisfies ToChild)
    })
  }

  #receive(message: FromChild): void {
    const waiting = this.#waiting.get(message.id)
    if (waiting === undefined) return
    this.#waiting.delete(message.id)
    waiting.timer?.cancel()
    if ('code' in message) waiting.reject(new Fault(message.code, message.details))
    else waiting.resolve(message.value)
    if (this.#waiting.size === 0) this.#restLater()
  }

  /** An end that was wanted is not a death: nothing waits for it, and the next start does not
   *  pause. */
  #restLater(): void {
    const { idleMs, clock } = this.#options
    if (idleMs === undefined) return
    this.#idle?.cancel()
    this.#idle = clock.after(idleMs, () => {
      const child = this.#process
      this.#process = undefined
      this.#ready = undefined
      if (child?.connected === true) child.disconnect()
    })
  }

  #gone(reason: string): Fault {
    return fault('child_died', { what: this.#options.role, reason })
  }

  #died(child: ChildProcess, reason: string): void {
    if (child !== this.#process) return
    const { role, clock, log } = this.#options
    this.#process = undefined
    this.#ready = undefined
    this.#deaths++
    this.#diedAtMs = clock.monotonicMs()
    if (!this.#stop.signal.aborted) log.write('warn', 'child process ended', { role, reason })
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const one of waiting) {
      one.timer?.cancel()
      one.reject(this.#gone(reason))
    }
  }
}

const INHERITED = /^(?:PATH|HOME|TMPDIR|TEMP|TZ|LANG|LC_\w+|SYSTEMROOT|NODE_(?:COMPILE_CACHE|OPTIONS|V8_COVERAGE))$/i

/** A child parses what others wrote. It gets what Node itself needs of the environment, and none
 *  of the keys that lie there. */
const inherited = (all: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(all).filter(([name]) => INHERITED.test(name)))

export type Methods = { readonly [method: string]: (argument: never) => Promise<unknown> }

/** The child's side: answers calls until the channel closes, then ends the process. */
export function serve(methods: Methods): void {
  process.on('message', (message: ToChild) => void answer(methods, message))
  process.on('disconnect', () => process.exit(0))
  process.on('SIGINT', () => {}) // The terminal sends it to the whole group; the parent decides.
}

async function answer(methods: Methods, { id, method, argument }: ToChild): Promise<void> {
  const reply = (message: FromChild): void => void process.send?.(message)
  try {
    const run = methods[method]
    if (run === undefined) throw fault('internal', { reason: `no method ${method}` })
    reply({ id, value: await run(argument as never) })
  } catch (thrown) {
    const { code, details } = toProblem(thrown)
    reply({ id, code, details })
  }
}
