import type { Clock } from '../../base/clock.ts'
import { refuse, type Refusal } from '../../base/errors.ts'
import type { JsonObject } from '../../base/json.ts'
import { findIn, mergeFindings, OUT_OF_TIME, WINDOW_CHARS_MAX } from './finding.ts'
import type { Guardrail, RemoteGuardrail, SpanGuardrail } from './guardrail.ts'
import type { Point } from './point.ts'
import { suspicionOf } from './injection.ts'
import { GuardrailRecord } from './record.ts'
import { schemaProblem } from './schema.ts'
import { Screen } from './screen.ts'
import { Vault } from './vault.ts'

/** The guardrails of a model, in the order they are listed. */
export class Guardrails {
  readonly #guardrails: readonly Guardrail[]
  readonly #clock: Clock
  /** Tells these guardrails from others: what they let through is not what others do. */
  readonly version: string

  constructor(guardrails: readonly Guardrail[], version: string, clock: Clock) {
    this.#guardrails = guardrails
    this.version = version
    this.#clock = clock
  }

  /** Of one request of a model. */
  begin(model: string, texts: readonly GuardedText[]): GuardedRequest {
    return new GuardedRequest(this.#guardrails, this.#clock, model, texts)
  }
}

/** A text on its way to a model. `trusted`: the caller's own instructions, in which no injection is sought. */
export interface GuardedText {
  readonly text: string
  readonly trusted: boolean
}

export class GuardedRequest {
  readonly record = new GuardrailRecord()
  readonly #guardrails: readonly Guardrail[]
  readonly #clock: Clock
  readonly #model: string
  readonly #texts: readonly GuardedText[]
  readonly #vault: Vault

  constructor(guardrails: readonly Guardrail[], clock: Clock, model: string, texts: readonly GuardedText[]) {
    this.#guardrails = guardrails
    this.#clock = clock
    this.#model = model
    this.#texts = texts
    this.#vault = new Vault((name) => texts.some(({ text }) => text.includes(name)))
  }

  /** The texts as the model may see them, or why it may not: `guard_blocked`, `guard_failed`. Within this turn
   *  unless somebody else has to be asked. */
  input(): readonly string[] | Refusal | Promise<readonly string[] | Refusal> {
    return this.#look(
      'input',
      this.#guardrails.filter((one) => one.input !== undefined),
      this.#texts.map(({ text }) => text),
    )
  }

  /** Whether answers must be seen as a whole before any of it leaves. */
  get holdsAnswers(): boolean {
    return this.#guardrails.some((one) => one.output !== undefined && one.kind !== 'spans')
  }

  /** For one text of the answer. `escaped`: it stands inside a JSON string. */
  screen(escaped: boolean, onBlock: (problem: Refusal) => void): Screen {
    const rules = this.#spans('output').map((guardrail) => ({
      detector: guardrail.detector,
      replace: (kind: string, span: string): string => {
        this.record.found(guardrail, 'output', kind)
        if (guardrail.output === 'note') return span
        if (guardrail.output === 'block') onBlock(this.#refuse(guardrail, 'output', `it has what looks like: ${kind}`))
        return mark(kind)
      },
    }))
    const within = (restored: string): string => (escaped ? JSON.stringify(restored).slice(1, -1) : restored)
    return new Screen(rules, { vault: this.#vault, within })
  }

  /** Looks at whole answers, one text a choice. */
  output(
    answers: readonly string[],
    schema: JsonObject | undefined,
  ): Refusal | undefined | Promise<Refusal | undefined> {
    for (const guardrail of this.#guardrails) {
      if (guardrail.kind !== 'schema' || guardrail.output === undefined || schema === undefined) continue
      for (const answer of answers) {
        const problem = schemaProblem(answer, schema)
        if (problem === undefined) continue
        this.record.found(guardrail, 'output', 'schema')
        if (guardrail.output === 'block')
          return this.#refuse(guardrail, 'output', `it is not what its schema says: ${problem}`)
      }
    }
    const others = this.#guardrails.filter(
      ({ kind, output }) => output !== undefined && kind !== 'schema' && kind !== 'spans',
    )
    const looked = this.#look('output', others, answers)
    return looked instanceof Promise ? looked.then(asRefusal) : asRefusal(looked)
  }

  #spans(point: Point): SpanGuardrail[] {
    return this.#guardrails.filter((one): one is SpanGuardrail => one.kind === 'spans' && one[point] !== undefined)
  }

  #look(
    point: Point,
    guardrails: readonly Guardrail[],
    texts: readonly string[],
  ): readonly string[] | Refusal | Promise<readonly string[] | Refusal> {
    let seen = texts
    for (const [at, guardrail] of guardrails.entries()) {
      if (guardrail.kind === 'remote')
        return this.#ask(guardrail, point, seen).then((answered) =>
          Array.isArray(answered) ? this.#look(point, guardrails.slice(at + 1), answered) : answered,
        )
      const looked = this.#apply(guardrail, point, seen)
      if (!Array.isArray(looked)) return looked
      seen = looked
    }
    return seen
  }

  #apply(guardrail: Guardrail, point: Point, texts: readonly string[]): readonly string[] | Refusal {
    const deadlineMs = this.#clock.monotonicMs() + guardrail.budgetMs
    const seen: string[] = []
    for (const [at, text] of texts.entries()) {
      const looked =
        guardrail.kind === 'spans'
          ? this.#findIn(guardrail, point, text, deadlineMs)
          : guardrail.kind === 'injection' && !(point === 'input' && this.#texts[at]?.trusted === true)
            ? this.#doubt(guardrail, point, text, deadlineMs)
            : text
      if (looked === OUT_OF_TIME) {
        this.record.failed(guardrail, point)
        if (guardrail.onFailure === 'pass') return texts
        return refuse('guard_failed', { guard: guardrail.name, reason: `it had ${guardrail.budgetMs} ms` })
      }
      if (typeof looked !== 'string') return looked
      seen.push(looked)
    }
    return seen
  }

  #findIn(
    guardrail: SpanGuardrail,
    point: Point,
    text: string,
    deadlineMs: number,
  ): string | Refusal | typeof OUT_OF_TIME {
    const found = findIn(guardrail.detector, text, this.#clock, deadlineMs)
    if (found === OUT_OF_TIME) return found
    for (const { kind } of found) this.record.found(guardrail, point, kind)
    const [first] = found
    const action = guardrail[point]
    if (first === undefined || action === 'note') return text
    if (action === 'block') return this.#refuse(guardrail, point, `it has what looks like: ${kindsOf(found)}`)
    let replaced = ''
    let at = 0
    for (const one of mergeFindings([found])) {
      const span = text.slice(one.start, one.end)
      replaced += text.slice(at, one.start) + (action === 'tokenise' ? this.#vault.nameOf(one, span) : mark(one.kind))
      at = one.end
    }
    return replaced + text.slice(at)
  }

  #doubt(
    guardrail: Extract<Guardrail, { kind: 'injection' }>,
    point: Point,
    text: string,
    deadlineMs: number,
  ): string | Refusal | typeof OUT_OF_TIME {
    for (let from = 0; from === 0 || from < text.length; from += WINDOW_CHARS_MAX / 2) {
      if (this.#clock.monotonicMs() > deadlineMs) return OUT_OF_TIME
      const { score, signs } = suspicionOf(text.slice(from, from + WINDOW_CHARS_MAX))
      if (score < guardrail.scoreMin) continue
      for (const sign of signs) this.record.found(guardrail, point, sign)
      if (guardrail[point] === 'block')
        return this.#refuse(guardrail, point, `it reads like instructions to a model: ${signs.join(', ')}`)
      break
    }
    return text
  }

  async #ask(guardrail: RemoteGuardrail, point: Point, texts: readonly string[]): Promise<readonly string[] | Refusal> {
    const asked = await guardrail.check
      .ask({ point, model: this.#model, texts }, guardrail.budgetMs)
      .catch((thrown: unknown) => (thrown instanceof Error ? thrown : new Error(String(thrown))))
    if (asked instanceof Error) {
      this.record.failed(guardrail, point)
      if (guardrail.onFailure === 'pass') return texts
      return refuse('guard_failed', { guard: guardrail.name, reason: asked.message.slice(0, 200) })
    }
    if (asked.allow) {
      if (asked.texts !== undefined) this.record.found(guardrail, point, 'replaced')
      return guardrail[point] === 'note' ? texts : (asked.texts ?? texts)
    }
    this.record.found(guardrail, point, 'refused')
    return guardrail[point] === 'note' ? texts : this.#refuse(guardrail, point, asked.reason ?? 'no reason was given')
  }

  #refuse({ name }: Guardrail, point: Point, reason: string): Refusal {
    return refuse('guard_blocked', { guard: name, what: point === 'input' ? 'request' : 'answer', reason })
  }
}

const mark = (kind: string): string => `[${kind.toUpperCase()}]`

const asRefusal = (looked: readonly string[] | Refusal): Refusal | undefined =>
  Array.isArray(looked) ? undefined : (looked as Refusal)

const kindsOf = (found: readonly { readonly kind: string }[]): string =>
  [...new Set(found.map(({ kind }) => kind))].join(', ')
