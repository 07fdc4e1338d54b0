import { isObject, type Json, type JsonObject } from '../../base/json.ts'

/** Puts the frames of an answer together again: of a stream what its chunks add up to, of a whole answer
 *  itself. Bounded; what is beyond the bound is left out, and said to be. */

/** All texts of an answer, in UTF-16 units. */
const ANSWER_UNITS_MAX = 2 * 1024 * 1024
/** Choices of one answer, and calls of one choice. */
const CHOICES_MAX = 128
const CALLS_MAX = 1024

const TEXTS = ['content', 'reasoning_content', 'reasoning', 'refusal'] as const

interface Call {
  id: string
  name: string
  arguments: string
}

interface Choice {
  readonly texts: Map<string, string>
  readonly calls: Map<number, Call>
  finish: string
}

export class AssembledAnswer {
  readonly #choices = new Map<number, Choice>()
  #units = 0
  #isCut = false

  /** Of the texts, in UTF-16 units. */
  get units(): number {
    return this.#units
  }

  get isCut(): boolean {
    return this.#isCut
  }

  /** A chunk of a stream, or a whole answer, in the shape of OpenAI's chat completions. */
  frame({ choices }: JsonObject): void {
    if (!Array.isArray(choices)) return
    for (const choice of choices as readonly Json[]) {
      if (!isObject(choice)) continue
      const index = typeof choice['index'] === 'number' ? choice['index'] : 0
      const into = this.#choice(index)
      if (into === undefined) continue
      const said = isObject(choice['message']) ? choice['message'] : choice['delta']
      if (isObject(said)) this.#take(into, said)
      const reason = choice['finish_reason']
      if (typeof reason === 'string') into.finish = reason
    }
  }

  /** Why each choice ended. */
  finishes(): string[] {
    return [...this.#choices.values()].map(({ finish }) => finish)
  }

  choices(): JsonObject[] {
    return [...this.#choices]
      .sort(([a], [b]) => a - b)
      .map(([index, { texts, calls, finish }]) => ({
        index,
        finish_reason: finish === '' ? null : finish,
        ...Object.fromEntries(texts),
        ...(calls.size === 0
          ? {}
          : {
              tool_calls: [...calls].map(([, { id, name, arguments: said }]) => ({
                id,
                function: { name, arguments: said },
              })),
            }),
      }))
  }

  #choice(index: number): Choice | undefined {
    const known = this.#choices.get(index)
    if (known !== undefined) return known
    if (this.#choices.size >= CHOICES_MAX) {
      this.#isCut = true
      return undefined
    }
    const choice: Choice = { texts: new Map(), calls: new Map(), finish: '' }
    this.#choices.set(index, choice)
    return choice
  }

  #take({ texts, calls }: Choice, said: JsonObject): void {
    for (const name of TEXTS) {
      const text = said[name]
      if (typeof text === 'string' && text !== '') texts.set(name, (texts.get(name) ?? '') + this.#within(text))
    }
    const made = said['tool_calls']
    if (!Array.isArray(made)) return
    for (const [at, call] of (made as readonly Json[]).entries()) {
      if (!isObject(call)) continue
      const index = typeof call['index'] === 'number' ? call['index'] : at
      const into = calls.get(index) ?? { id: '', name: '', arguments: '' }
      if (!calls.has(index) && calls.size >= CALLS_MAX) {
        this.#isCut = true
        continue
      }
      calls.set(index, into)
      const { id, function: called } = call
      if (typeof id === 'string') into.id = id
      if (!isObject(called)) continue
      if (typeof called['name'] === 'string') into.name = called['name']
      if (typeof called['arguments'] === 'string') into.arguments += this.#within(called['arguments'])
    }
  }

  #within(text: string): string {
    const room = ANSWER_UNITS_MAX - this.#units
    if (text.length > room) this.#isCut = true
    const kept = text.length > room ? text.slice(0, room) : text
    this.#units += kept.length
    return kept
  }
}
