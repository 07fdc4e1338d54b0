import { mergeReports, NO_REPORT, type Report } from '../api/answer.ts'
import type { ChatEvent, Question } from '../api/chat.ts'
import type { Problem } from '../api/problem.ts'

/** The questions of this browser tab and what became of them. Lives outside the page, so that
 *  an answer goes on arriving while another one is looked at. */

type Phase = 'waiting' | 'streaming' | 'done' | 'stopped' | 'truncated' | 'failed'

export interface Asked extends Question {
  readonly id: number
  readonly phase: Phase
  readonly text: string
  readonly report: Report
  readonly problem?: Problem
  /** Since asking, as measured here. */
  readonly firstTokenMs?: number
  readonly totalMs?: number
}

export const isRunning = (asked: Asked): boolean => asked.phase === 'waiting' || asked.phase === 'streaming'

/** What the store needs from the world. */
export interface AskWorld {
  readonly ask: (question: Question, signal: AbortSignal) => AsyncIterable<ChatEvent>
  /** Looks up what the stream did not tell: the stages of a model that is no workflow. */
  readonly recall: (requestId: string) => Promise<Report | undefined>
  readonly storage: Pick<Storage, 'getItem' | 'setItem'> | undefined
  readonly nowMs: () => number
  /** Runs a task soon, so that a fast stream does not redraw once per token. */
  readonly soon: (task: () => void) => void
}

const KEPT_MAX = 30
const KEPT_CHARS_MAX = 2_000_000
const SLOT = 'headworks.asked'

export class AskStore {
  readonly #world: AskWorld
  readonly #listeners = new Set<() => void>()
  readonly #running = new Map<number, { readonly controller: AbortController; readonly startedMs: number }>()
  #asked: readonly Asked[]
  #shown: readonly Asked[]
  #isDue = false

  constructor(world: AskWorld) {
    this.#world = world
    this.#asked = restore(world.storage)
    this.#shown = this.#asked
  }

  /** Newest first. The same array until something changed. */
  readonly list = (): readonly Asked[] => this.#shown

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Asks, and returns the id under which the answer grows. */
  ask(question: Question): number {
    const id = Math.max(0, ...this.#asked.map((one) => one.id)) + 1
    const asked: Asked = { ...question, id, phase: 'waiting', text: '', report: NO_REPORT }
    this.#asked = [asked, ...this.#asked].slice(0, KEPT_MAX)
    const controller = new AbortController()
    this.#running.set(id, { controller, startedMs: this.#world.nowMs() })
    this.#show()
    void this.#follow(asked, controller.signal)
    return id
  }

  /** Stops an answer that is still arriving; what is there stays. */
  stop(id: number): void {
    const run = this.#running.get(id)
    if (run === undefined) return
    run.controller.abort()
    this.#finish(id, { phase: 'stopped' })
  }

  /** Forgets everything, as whoever signs out expects. */
  clear(): void {
    for (const id of this.#running.keys()) this.stop(id)
    this.#asked = []
    save(this.#world.storage, this.#asked)
    this.#show()
  }

  /** Milliseconds since a running question was asked. */
  elapsedMs(id: number): number {
    const run = this.#running.get(id)
    return run === undefined ? 0 : this.#world.nowMs() - run.startedMs
  }

  async #follow(asked: Asked, signal: AbortSignal): Promise<void> {
    for await (const event of this.#world.ask(asked, signal)) {
      if (signal.aborted) return
      this.#take(asked.id, event)
    }
  }

  #take(id: number, event: ChatEvent): void {
    const asked = this.#asked.find((one) => one.id === id)
    if (asked === undefined) return
    switch (event.kind) {
      case 'report':
        return this.#change(id, { report: mergeReports(asked.report, event.report) })
      case 'text':
        return this.#change(id, {
          phase: 'streaming',
          text: asked.text + event.text,
          firstTokenMs: asked.firstTokenMs ?? this.elapsedMs(id),
        })
      case 'failed':
        return this.#finish(id, { phase: 'failed', problem: event.problem })
      case 'done':
      case 'truncated':
        this.#finish(id, { phase: event.kind })
        if (event.kind === 'done' && asked.report.stages.length === 0) void this.#recall(asked)
    }
  }

  async #recall({ id, report }: Asked): Promise<void> {
    const more = report.requestId === undefined ? undefined : await this.#world.recall(report.requestId)
    if (more === undefined) return
    this.#change(id, { report: mergeReports(more, report) })
    save(this.#world.storage, this.#asked)
  }

  #finish(id: number, change: Partial<Asked>): void {
    this.#change(id, { ...change, totalMs: this.elapsedMs(id) })
    this.#running.delete(id)
    save(this.#world.storage, this.#asked)
    this.#show()
  }

  #change(id: number, change: Partial<Asked>): void {
    this.#asked = this.#asked.map((one) => (one.id === id ? { ...one, ...change } : one))
    if (this.#isDue) return
    this.#isDue = true
    this.#world.soon(() => this.#show())
  }

  #show(): void {
    this.#isDue = false
    if (this.#shown === this.#asked) return
    this.#shown = this.#asked
    for (const listener of this.#listeners) listener()
  }
}

/** What the tab still knows after a reload. An answer that was arriving was cut by it. */
function restore(storage: AskWorld['storage']): Asked[] {
  try {
    const kept: unknown = JSON.parse(storage?.getItem(SLOT) ?? '[]')
    if (!Array.isArray(kept)) return []
    return (kept as Asked[]).map((asked) => (isRunning(asked) ? { ...asked, phase: 'stopped' } : asked))
  } catch {
    return []
  }
}

function save(storage: AskWorld['storage'], asked: readonly Asked[]): void {
  let chars = 0
  const kept: string[] = []
  for (const one of asked) {
    const text = JSON.stringify(one)
    chars += text.length
    if (chars > KEPT_CHARS_MAX) break
    kept.push(text)
  }
  try {
    storage?.setItem(SLOT, `[${kept.join(',')}]`)
  } catch {
    // Storage is full or switched off: the answers live as long as the page.
  }
}
