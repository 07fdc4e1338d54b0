import { isObject, type Json, type JsonObject } from '../src/base/json.ts'
import { totalTokens } from '../src/meter/usage.ts'
import type { Entry } from '../src/store/events.ts'
import { answerUsageIn, expectedUsage, sameUsage, usageIn } from './bill.ts'
import { attemptsAffordable } from './bounds.ts'
import type { Caller } from './caller.ts'
import type { AttemptRecord } from './engine.ts'
import { ATTEMPTS, DEPLOYMENTS, TIMEOUTS } from './house.ts'
import type { Invariant } from './invariants.ts'
import type { Packet } from './pipe.ts'
import { refusalOf } from './refusal.ts'
import { NOTHING_FOUND } from './search.ts'
import type { AnswerPlan, Ending, FramePlan, RequestPlan } from './scenario.ts'
import type { Recorded, Scene } from './scene.ts'
import {
  allowedOf,
  choicesIn,
  isBeginning,
  isSpoken,
  readTranscript,
  strayChunk,
  type Transcript,
} from './transcript.ts'

/** What a caller heard, held against what the engines said and what the journal says of it. */

/** What a slow disk and a slow network may add to the house's own limits. */
const SLACK_MS = 6_000

/** An answer that even a slow reader has read in time. */
const SHORT_FRAMES = 10

/** Whatever is odd about them, all was said. */
const WELL_ENDED: ReadonlySet<Ending> = new Set(['done', 'no done', 'two dones', 'chatter'])

const SPEAKS: ReadonlySet<FramePlan> = new Set(['text', 'wide', 'tool', 'reasoning', 'extra', 'second choice'])

/** Where a whole answer has what the engine said. */
const WORD_OF = { rerank: 'results', embeddings: 'data' } as const

type Source = Pick<AttemptRecord, 'stream' | 'sent' | 'finished' | 'usage'>

/** What a workflow says that has found nothing: no engine is asked. */
function ownAnswer({ stream }: RequestPlan): Source {
  const message = { role: 'assistant', content: NOTHING_FOUND }
  const chunks: Json[] = [
    [{ index: 0, delta: message, finish_reason: null }],
    [{ index: 0, delta: {}, finish_reason: 'stop' }],
  ]
  const whole: Json[] = [[{ index: 0, message, finish_reason: 'stop' }]]
  return { stream, sent: stream ? chunks : whole, finished: true, usage: { prompt_tokens: 0, completion_tokens: 0 } }
}

export class AnswerJudge {
  readonly #scene: Scene
  readonly #journal: ReadonlyMap<string, Recorded>
  readonly #broken: (invariant: Invariant, detail: string) => void

  constructor(scene: Scene, journal: ReadonlyMap<string, Recorded>) {
    this.#scene = scene
    this.#journal = journal
    this.#broken = (invariant, detail) => scene.kernel.violate(invariant, detail)
  }

  /** Something reached a caller. */
  heard(caller: Caller, kind: Packet['kind']): void {
    if (kind === 'head') return this.#headWasDue(caller)
    if (kind === 'data') return
    const { status, headers, plan } = caller
    if (status === undefined) return // Refused or reset before the status: nothing was promised.
    if (headers['x-request-id'] === undefined) this.#broken('every answer has its id', plan.name)
    this.#cameInTime(caller)
    if (status !== 200) return this.#refusalIsWhole(caller)
    if (streams(caller)) this.#streamIsTrue(caller, kind === 'end')
    else if (kind === 'end') this.#wholeIsTrue(caller)
  }

  /** At rest: who still waits, and is it the house's fault? */
  atRest(caller: Caller): void {
    const { plan, state, life, status } = caller
    if (state === 'waiting' && plan.reads !== 'never' && life?.alive === true) {
      this.#broken('every caller hears an end', `${plan.name} waits for ever, having heard ${status ?? 'nothing'}`)
    }
    const asked = this.#scene.engine.attemptsFor(plan.name)
    // Only who is alone, or left alone by the circuits of others, is asked again.
    const isAlone = DEPLOYMENTS[plan.model] === 1 || this.#scene.circuitTurns > 0
    if (asked > (isAlone ? ATTEMPTS : DEPLOYMENTS)[plan.model])
      this.#broken('no engine is asked too often', `${plan.name} was passed on ${asked} times`)
    const rejected = this.#scene.engine.records.find(
      (attempt) => attempt.request === plan.name && attempt.plan.status === 400 && attempt.plan.ending === 'done',
    )
    // A second one may have been asked before.
    if (rejected !== undefined && asked > rejected.number + 1 + Number(HEDGED.has(plan.model)))
      this.#broken('no engine is asked too often', `${plan.name} was passed on although an engine had rejected it`)
    this.#answeredIfNothingHinders(caller)
  }

  /** What one closing entry says, against what is known of its caller. */
  closingIsTrue(caller: Caller, { body }: Entry, crashed: boolean): void {
    const { plan, status, state } = caller
    const { outcome } = body
    const lies = (why: string): void =>
      this.#broken('a closing tells the truth', `${plan.name} is recorded as ${JSON.stringify(outcome)}: ${why}`)
    const seen = streams(caller) ? readTranscript(caller.text()) : undefined
    if (outcome === 'answered' && !this.#sources(plan).some((attempt) => attempt.finished)) lies('no engine finished')
    if (outcome !== 'answered' && isComplete(caller)) lies('its caller has the whole answer')
    if (outcome === 'cancelled' && plan.leaves === undefined && plan.reads === 'steadily')
      lies('its caller stayed and read on')
    const hasError = typeof body['error'] === 'string'
    if ((outcome === 'failed' && !hasError) || (outcome === 'answered' && hasError))
      lies(`its error is ${JSON.stringify(body['error'])}`)
    if (outcome === 'interrupted' && !crashed) lies('the house did not crash')
    if (state === 'ended' && status !== 200 && body['status'] !== status && outcome !== 'interrupted')
      lies(`its caller got ${status}, recorded is ${JSON.stringify(body['status'])}`)
    const usage = usageIn(body)
    if (
      outcome !== 'interrupted' &&
      seen?.chunks.some((chunk) => isSpoken(choicesIn(chunk, false))) === true &&
      (usage?.outputTokens ?? 0) + (usage?.reasoningTokens ?? 0) === 0
    ) {
      this.#broken('what was delivered is charged', `${plan.name} got ${seen.chunks.length} chunks for nothing`)
    }
  }

  /** Where its words may come from: what engines said for it, or the house's own. */
  #sources(plan: RequestPlan): Source[] {
    if (plan.model === 'docs' && plan.finds === 'nothing') return [ownAnswer(plan)]
    const own = this.#scene.engine.records.filter((attempt) => attempt.request === plan.name)
    return plan.model === 'docs' ? own.map((attempt) => ({ ...attempt, sent: allowedOf(attempt.sent) })) : own
  }

  #headWasDue({ plan, status }: Caller): void {
    if (isRefused(plan) && (status === 200 || this.#scene.engine.attemptsFor(plan.name) > 0)) {
      this.#broken(
        'the refused reach no engine',
        `${plan.name} (${plan.credential}, ${plan.body}, ${plan.model}) got ${status}`,
      )
    }
    if (status === 200 && !this.#sources(plan).some((attempt) => attempt.finished || attempt.sent.some(isSpoken))) {
      this.#broken('the status waits for content', `${plan.name} has a 200, and no engine has said anything`)
    }
  }

  #cameInTime(caller: Caller): void {
    const { plan, waitedMs, silenceMs } = caller
    if (plan.reads !== 'steadily') return
    const waitMaxMs = streams(caller)
      ? ATTEMPTS[plan.model] * (TIMEOUTS.connectMs + TIMEOUTS.firstTokenMs)
      : TIMEOUTS.totalMs
    if (waitedMs > waitMaxMs + SLACK_MS)
      this.#broken('nobody waits too long', `${plan.name} waited ${waitedMs} ms for its status`)
    if (silenceMs > TIMEOUTS.betweenTokensMs + SLACK_MS)
      this.#broken('nobody waits too long', `${plan.name} heard nothing for ${silenceMs} ms`)
  }

  #refusalIsWhole(caller: Caller): void {
    if (caller.state !== 'ended') return
    const body = parse(caller.text())
    const error = isObject(body) ? body['error'] : undefined
    const complete =
      isObject(error) &&
      typeof error['message'] === 'string' &&
      ['type', 'param', 'code'].every((name) => name in error)
    if (!complete)
      this.#broken('an error says what and why', `${caller.plan.name}: ${caller.status} ${caller.text().slice(0, 200)}`)
  }

  #streamIsTrue(caller: Caller, ended: boolean): void {
    const { plan } = caller
    const seen = readTranscript(caller.text())
    const flaw = seen.flaw ?? strayChunk(seen.chunks)
    if (flaw !== undefined) this.#broken('a stream is well formed', `${plan.name}: ${flaw}`)
    if (ended && !seen.done && seen.error === undefined) {
      this.#broken(
        'no stream is silently truncated',
        `${plan.name} ended after ${seen.chunks.length} chunks without [DONE] or an error`,
      )
    }
    const choices = seen.chunks.map((chunk) => choicesIn(chunk, plan.model === 'docs'))
    const sources = this.#sources(plan).filter((attempt) => attempt.stream && isBeginning(choices, attempt.sent))
    if (sources.length === 0)
      this.#broken("an answer is one engine's, in order", `${plan.name} saw ${JSON.stringify(choices)}`)
    if (!seen.done) return
    const source = sources.find((attempt) => attempt.finished && attempt.sent.length === choices.length)
    if (source === undefined)
      return this.#broken(
        "an answer is one engine's, in order",
        `${plan.name} saw [DONE] after ${choices.length} chunks`,
      )
    this.#usageIsTold(plan.includeUsage, caller, seen)
    this.#isRecorded(caller, source, seen.usage)
  }

  #wholeIsTrue(caller: Caller): void {
    const { plan } = caller
    const body = parse(caller.text())
    if (!isObject(body)) return this.#broken('no answer is cut short', `${plan.name}: ${caller.text().slice(0, 200)}`)
    const word =
      plan.operation === 'chat' ? choicesIn(body, plan.model === 'docs') : (body[WORD_OF[plan.operation]] ?? null)
    const source = this.#sources(plan).find((attempt) => attempt.finished && isBeginning([word], attempt.sent))
    if (source === undefined)
      return this.#broken("an answer is one engine's, in order", `${plan.name}: ${JSON.stringify(body)}`)
    const usage = body['usage']
    if (!isObject(usage)) return this.#broken('usage is told', `${plan.name} has none`)
    this.#isRecorded(caller, source, usage)
  }

  #usageIsTold(wanted: boolean, { plan }: Caller, seen: Transcript): void {
    if (wanted !== (seen.usage !== undefined))
      this.#broken('usage is told', `${plan.name} ${wanted ? 'asked for it in vain' : 'did not ask for it'}`)
    if (seen.chunks.some((chunk) => chunk['usage'] !== (wanted ? null : undefined)))
      this.#broken('usage is told', `${plan.name}: a chunk has its own`)
  }

  /** Acknowledged means durable: now, not later. */
  #isRecorded({ plan, headers }: Caller, source: Source, told: JsonObject | undefined): void {
    const id = headers['x-request-id'] ?? ''
    const close = this.#journal.get(id)?.close
    if (close?.body['outcome'] !== 'answered') {
      const found = close === undefined ? 'not closed' : `recorded as ${JSON.stringify(close.body['outcome'])}`
      return this.#broken('nothing acknowledged is lost', `${plan.name} has its answer, and ${id} is ${found}`)
    }
    const usage = answerUsageIn(close.body)
    if (usage === undefined) return // Reported when it became durable.
    const expected = expectedUsage(source.usage)
    const same = expected === undefined ? usage.estimated : sameUsage(usage, expected)
    if (!same)
      this.#broken(
        "usage is the engine's",
        `${plan.name}: recorded ${JSON.stringify(usage)}, the engine said ${JSON.stringify(source.usage)}`,
      )
    if (told !== undefined && totalTokens(usage) !== told['total_tokens']) {
      this.#broken('usage sums', `${plan.name} was told ${JSON.stringify(told)}, recorded is ${JSON.stringify(usage)}`)
    }
  }

  /** Beside the first of each request. */
  get #furtherAttempts(): number {
    const { callers, engine } = this.#scene
    return callers.reduce((sum, { plan }) => sum + Math.max(0, engine.attemptsFor(plan.name) - 1), 0)
  }

  /** Two were asked at once, and one of them does not answer to its end: whichever begins first is the
   *  answer, and nobody stands in for it then. */
  #isDoubled({ name, model }: RequestPlan): boolean {
    const attempts = this.#scene.engine.records.filter(({ request }) => request === name)
    return (
      HEDGED.has(model) &&
      attempts.length > 1 &&
      attempts.some(({ plan }) => plan.status !== 200 || plan.ending !== 'done')
    )
  }

  /** A request that an engine can answer must succeed, or a house that refuses all would pass. */
  #answeredIfNothingHinders(caller: Caller): void {
    const { plan } = caller
    const { crashes, diskFull, stopsAtMs } = this.#scene.scenario
    // An open circuit, or a retry budget that is spent, hinders too: `sim/routing` judges those.
    const spared = this.#scene.circuitTurns > 0 || this.#furtherAttempts > RETRIES_SAVED
    const calm =
      crashes.length === 0 && diskFull.length === 0 && stopsAtMs.length === 0 && !spared && !this.#isDoubled(plan)
    if (
      !calm ||
      isRefused(plan) ||
      !isPatient(plan) ||
      !isAnswerable(plan, attemptsAffordable(this.#scene.scenario, plan)) ||
      refusalOf(caller) !== undefined ||
      caller.connection?.answered === undefined
    )
      return
    if (!isComplete(caller)) {
      this.#broken(
        'what nothing hinders is answered',
        `${plan.name} got ${caller.status ?? 'no status'} and was ${caller.state}: ${caller.text().slice(0, 300)}`,
      )
    }
  }
}

/** Models of which two deployments may be asked at once: `pair`, and the workflow that calls it. */
const HEDGED: ReadonlySet<string> = new Set(['pair', 'docs'])

/** As `engine/retries.ts` has them at the start. */
const RETRIES_SAVED = 10

/** Reads fast enough to hear the whole answer. */
function isPatient({ leaves, reads, answers }: RequestPlan): boolean {
  return (
    leaves === undefined &&
    (reads === 'steadily' || (reads === 'slowly' && answers.every(({ frames }) => frames.length <= SHORT_FRAMES)))
  )
}

/** Whether one of the attempts that the house may make is healthy, and those before it fail in a
 *  way that says: ask elsewhere. */
function isAnswerable({ model, finds, answers }: RequestPlan, attempts: number): boolean {
  if (model === 'docs' && finds !== 'something') return finds === 'nothing'
  for (let attempt = 0; attempt < attempts; attempt++) {
    const answer = answers[Math.min(attempt, answers.length - 1)]
    if (answer === undefined) return false
    if (isHealthy(answer)) return true
    if (!failsOver(answer)) return false
  }
  return false
}

function isHealthy({ connect, status, contentType, ending, gapMs, frames }: AnswerPlan): boolean {
  const spoken = frames.findIndex((frame) => SPEAKS.has(frame))
  const speaksSoon = ((spoken < 0 ? frames.length : spoken) + 1) * gapMs <= TIMEOUTS.firstTokenMs / 2
  // A comment is no token: the silence goes on.
  const neverFalters = !frames.includes('comment') || gapMs * frames.length <= TIMEOUTS.betweenTokensMs / 2
  return (
    connect === 'ok' &&
    status === 200 &&
    contentType === 'right' &&
    WELL_ENDED.has(ending) &&
    speaksSoon &&
    neverFalters
  )
}

const failsOver = ({ connect, status, ending }: AnswerPlan): boolean =>
  connect !== 'ok' || (status !== 200 && status !== 400 && ending !== 'hang')

export const streams = ({ plan }: Caller): boolean => plan.stream && plan.operation === 'chat'

/** Whether it has the whole of a good answer. */
const isComplete = (caller: Caller): boolean =>
  caller.status === 200 && (streams(caller) ? readTranscript(caller.text()).done : caller.state === 'ended')

const isRefused = ({ credential, body, model, operation }: RequestPlan): boolean =>
  (credential !== 'user' && credential !== 'admin') ||
  body !== 'good' ||
  model === 'absent' ||
  (model === 'docs' && operation !== 'chat')

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}
