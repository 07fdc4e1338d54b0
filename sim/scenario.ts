import type { Declared } from '../src/meter/declared.ts'
import { budgetsOf, makeBudgets } from './budgets.ts'
import { Dice } from './dice.ts'

/** What happens in a run, as plain data: made from a seed, printed when it breaks something, and
 *  made smaller until nothing can be taken away. */

export interface Scenario {
  /** Decides everything the plans leave open: delays, order, where packets are cut. */
  readonly seed: number
  readonly requests: readonly RequestPlan[]
  /** One per crash: the house dies before so many effects after it started. */
  readonly crashes: readonly number[]
  /** When somebody stops the house in good order: it drains, ends and is started again. */
  readonly stopsAtMs: readonly number[]
  /** When the disk is full, in milliseconds. */
  readonly diskFull: readonly { readonly fromMs: number; readonly forMs: number }[]
  readonly diskSlow: boolean
  readonly skewMs: number
  readonly budgets: Declared
}

export interface RequestPlan {
  /** Travels in the prompt, so that an engine knows whose request it answers. */
  readonly name: string
  readonly atMs: number
  readonly operation: OperationPlan
  readonly credential: Credential
  /** It carries an Idempotency-Key of its own. */
  readonly isKeyed: boolean
  readonly model: ModelName
  /** How a workflow's search goes. */
  readonly finds: Finds
  readonly body: BodyPlan
  readonly stream: boolean
  readonly includeUsage: boolean
  readonly reads: 'steadily' | 'slowly' | 'never'
  readonly leaves?: { readonly afterMs: number } | { readonly afterBytes: number }
  /** What the engines do with it, attempt by attempt; the last plan serves every further one. */
  readonly answers: readonly AnswerPlan[]
}

export type OperationPlan = 'chat' | 'rerank' | 'embeddings'
export type Credential = 'user' | 'admin' | 'unknown' | 'none' | 'two'
export type Finds = 'something' | 'nothing' | 'failure'
export type BodyPlan = 'good' | 'malformed' | 'deep' | 'large' | 'fieldless' | 'stalls' | 'breaks'

/** `solo`: one deployment. `pair`: two, one and a fallback. `chain`: falls back to both others.
 *  `docs`: a workflow that searches, then asks `pair`. `absent`: there is no such model. */
export type ModelName = 'solo' | 'pair' | 'chain' | 'docs' | 'absent'

export interface AnswerPlan {
  readonly connect: 'ok' | 'refused' | 'timeout'
  /** Milliseconds of thought before the head. */
  readonly thinksMs: number
  readonly status: 200 | 400 | 401 | 404 | 429 | 500 | 503
  readonly contentType: 'right' | 'wrong'
  readonly frames: readonly FramePlan[]
  readonly gapMs: number
  readonly lines: LinesPlan
  /** How many frames one packet carries. */
  readonly framesPerPacket: number
  readonly usage: UsagePlan
  readonly ending: Ending
  /** Whether it stops at the cap that it was sent. */
  readonly cap: 'heeded' | 'ignored'
}

export type FramePlan =
  | 'text'
  | 'role'
  | 'empty'
  | 'comment'
  | 'wide'
  | 'tool'
  | 'reasoning'
  | 'extra'
  | 'second choice'

/** How an event is written: on one line, with CRLF and over several lines, without the blank after
 *  the colon, over several lines, with fields nobody reads. */
export type LinesPlan = 'lf' | 'crlf' | 'tight' | 'folded' | 'wordy'
export type UsagePlan = 'none' | 'right' | 'cached' | 'reasoning' | 'on every chunk' | 'negative' | 'absurd'

/** How an answer ends:
 *  `done`         as it should: the finish, usage, `[DONE]`.
 *  `no done`      the finish, then a clean end of the connection.
 *  `bare done`    `[DONE]`, and no choice was ever finished.
 *  `two dones`    `[DONE]` twice.
 *  `chatter`      another chunk after `[DONE]`.
 *  `cut`          a clean end in the middle, as a dying proxy makes it.
 *  `error frame`  an error in place of the next chunk.
 *  `error chunk`  an error inside a chunk that claims to be the last, as some proxies send it.
 *  `reset`        the connection breaks.
 *  `hang`         silence, the connection stays open.
 *  `lingers`      all is said, and the connection is never closed.
 *  `endless`      chunks without end.
 *  `garbage`      bytes that are no chunk. */
export const ENDINGS = [
  'done',
  'no done',
  'bare done',
  'two dones',
  'chatter',
  'cut',
  'error frame',
  'error chunk',
  'reset',
  'hang',
  'lingers',
  'endless',
  'garbage',
] as const
export type Ending = (typeof ENDINGS)[number]

export function makeScenario(seed: number): Scenario {
  const dice = new Dice(seed).fork('scenario')
  const calm = dice.chance(0.4)
  const count = dice.int(1, 6)
  const requests: RequestPlan[] = []
  for (let i = 0; i < count; i++) requests.push(makeRequest(dice.fork(`request ${i}`), `r${i}`))
  const budgets = makeBudgets(dice.fork('budgets'))
  // A house that keeps budgets has more effects, and a store that waits longer for room.
  const keeps = budgetsOf(budgets).length > 0
  const crashTimes = keeps ? dice.fork('crashes').pick([1, 4]) : 1
  const fullTimes = keeps ? dice.fork('full').pick([1, 8]) : 1
  const crashes: number[] = []
  if (!calm && dice.chance(0.4))
    for (let n = dice.int(1, 3); n > 0; n--) crashes.push(crashTimes * dice.int(1, 12 * count))
  const full = !calm && dice.chance(0.2)
  return {
    seed,
    requests,
    crashes,
    stopsAtMs: !calm && dice.chance(0.15) ? [dice.int(50, 500)] : [],
    diskFull: full ? [{ fromMs: dice.int(0, 300), forMs: fullTimes * dice.int(1, 400) }] : [],
    diskSlow: dice.chance(0.25),
    skewMs: dice.chance(0.2) ? dice.int(-5_000, 5_000) : 0,
    budgets,
  }
}

/** By then the house is up, as a rule. */
const STARTED_MS = 40

function makeRequest(dice: Dice, name: string): RequestPlan {
  const tame = dice.chance(0.35)
  const leaves =
    !tame && dice.chance(0.25)
      ? dice.chance(0.5)
        ? { afterMs: dice.int(0, 400) }
        : { afterBytes: dice.int(0, 900) }
      : undefined
  const answers: AnswerPlan[] = []
  for (let i = dice.int(1, 3); i > 0; i--) answers.push(makeAnswer(dice.fork(`answer ${i}`), tame))
  return {
    name,
    atMs: dice.chance(0.05) ? 0 : STARTED_MS + dice.int(0, 3) * dice.int(0, 120),
    operation: dice.weighted<OperationPlan>({ chat: 12, rerank: 1, embeddings: 1 }),
    credential: dice.weighted<Credential>({ user: 20, admin: 4, unknown: 1, none: 1, two: 1 }),
    isKeyed: dice.fork('key').chance(0.3),
    model: dice.weighted<ModelName>({ solo: 6, pair: 5, chain: 5, docs: 5, absent: 1 }),
    finds: tame ? 'something' : dice.weighted<Finds>({ something: 8, nothing: 1, failure: 1 }),
    body: tame
      ? 'good'
      : dice.weighted<BodyPlan>({ good: 40, malformed: 1, deep: 1, large: 1, fieldless: 1, stalls: 1, breaks: 1 }),
    stream: dice.chance(0.7),
    includeUsage: dice.chance(0.5),
    reads: dice.weighted({ steadily: 12, slowly: 5, never: tame ? 0 : 2 }),
    ...(leaves === undefined ? {} : { leaves }),
    answers,
  }
}

const FRAME_WEIGHTS: { readonly [name in FramePlan]: number } = {
  text: 12,
  role: 1,
  empty: 1,
  comment: 2,
  wide: 3,
  tool: 1,
  reasoning: 1,
  extra: 1,
  'second choice': 1,
}
const ENDING_WEIGHTS: { readonly [name in Ending]: number } = {
  done: 24,
  'no done': 2,
  'bare done': 1,
  'two dones': 2,
  chatter: 2,
  cut: 3,
  'error frame': 2,
  'error chunk': 2,
  reset: 4,
  hang: 2,
  lingers: 1,
  endless: 1,
  garbage: 2,
}
/** After a few words that say nothing: the next attempt must not inherit them. */
const BROKEN_ENDINGS: readonly Ending[] = ['cut', 'reset', 'error frame', 'garbage', 'hang']

const USAGE_WEIGHTS: { readonly [name in UsagePlan]: number } = {
  none: 3,
  right: 6,
  cached: 2,
  reasoning: 2,
  'on every chunk': 2,
  negative: 1,
  absurd: 1,
}

function makeAnswer(dice: Dice, tame: boolean): AnswerPlan {
  const length = dice.weighted({ none: 1, prelude: 2, few: 18, many: 2, flood: 0.8 })
  const count = { none: 0, prelude: 0, few: dice.int(1, 9), many: dice.int(10, 40), flood: 250 }[length]
  const frames: FramePlan[] = dice.chance(0.6) || length === 'prelude' ? ['role'] : []
  for (let i = 0; i < count; i++) frames.push(dice.weighted(FRAME_WEIGHTS))
  const ending = tame ? 'done' : length === 'prelude' ? dice.pick(BROKEN_ENDINGS) : dice.weighted(ENDING_WEIGHTS)
  return {
    connect: tame ? 'ok' : dice.weighted({ ok: 16, refused: 2, timeout: 1 }),
    thinksMs: dice.chance(0.7) ? dice.delayMs() : dice.int(0, 700),
    status: tame || dice.chance(0.8) ? 200 : dice.pick([400, 401, 404, 429, 500, 503] as const),
    contentType: tame || dice.chance(0.96) ? 'right' : 'wrong',
    frames,
    gapMs: length === 'flood' ? 0 : dice.chance(0.7) ? dice.delayMs() : dice.int(100, length === 'few' ? 1_200 : 400),
    lines: dice.weighted<LinesPlan>({ lf: 8, crlf: 2, tight: 1, folded: 1, wordy: 1 }),
    framesPerPacket: length === 'flood' ? 4 : dice.pick([1, 1, 2, 3, 10]),
    usage: dice.weighted(USAGE_WEIGHTS),
    ending,
    cap: tame || dice.chance(0.85) ? 'heeded' : 'ignored',
  }
}
