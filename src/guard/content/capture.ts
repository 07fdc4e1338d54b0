import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { AssembledAnswer } from './answer.ts'
import type { Keeping } from './policy.ts'

/** What one request and its answer said, gathered while it runs: nothing is written before it is over. */

/** Whom texts are about: the user of the request, else its key. */
export interface Subject {
  readonly kind: 'user' | 'key'
  readonly id: string
}

/** On its way to the store. */
export interface CapturedContent {
  readonly requestId: string
  readonly traceId: string
  readonly atMs: number
  readonly subject: Subject
  /** '' where there is none. */
  readonly tenant: string
  readonly key: string
  readonly model: string
  readonly workflow: string
  readonly keep: 'redacted' | 'full'
  readonly days: number
  /** JSON of `{input, output, cut}`. */
  readonly text: string
}

/** Takes what is to be kept and returns at once; never throws. */
export type OfferContent = (content: CapturedContent) => void

export type CaptureFacts = Omit<CapturedContent, 'keep' | 'days' | 'text'>

export class Capture {
  readonly #facts: CaptureFacts
  readonly #keeping: Keeping
  readonly #input: JsonObject
  readonly #offer: OfferContent
  readonly #answer = new AssembledAnswer()
  #isOver = false

  /** `input`: the body of the request, in the shape of OpenAI's chat completions. */
  constructor(facts: CaptureFacts, keeping: Keeping, input: JsonObject, offer: OfferContent) {
    this.#facts = facts
    this.#keeping = keeping
    this.#input = input
    this.#offer = offer
  }

  /** What the client gets of the answer. */
  frame(frame: JsonObject): void {
    this.#answer.frame(frame)
  }

  /** How much was said and by whom, never what: for the record of the request. */
  shape(): JsonObject {
    const { messages } = this.#input
    const roles: { [role: string]: number } = {}
    let inputUnits = 0
    for (const message of Array.isArray(messages) ? (messages as readonly Json[]) : []) {
      if (!isObject(message)) continue
      const role = ROLES.find((one) => one === message['role']) ?? 'other'
      roles[role] = (roles[role] ?? 0) + 1
      inputUnits += unitsOf(message['content'])
    }
    const finish = this.#answer.finishes()
    return { keep: this.#keeping.keep, roles, inputChars: inputUnits, outputChars: this.#answer.units, finish }
  }

  /** The request is over. */
  close(): void {
    const { keep, days } = this.#keeping
    if (this.#isOver || keep === 'off' || keep === 'metadata') return
    this.#isOver = true
    const { isCut } = this.#answer
    const text = JSON.stringify({ input: this.#input, output: this.#answer.choices(), ...(isCut ? { cut: true } : {}) })
    this.#offer({ ...this.#facts, keep, days, text })
  }
}

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'] as const

function unitsOf(content: Json | undefined): number {
  if (typeof content === 'string') return content.length
  if (!Array.isArray(content)) return 0
  let units = 0
  for (const part of content as readonly Json[])
    if (isObject(part) && typeof part['text'] === 'string') units += part['text'].length
  return units
}
