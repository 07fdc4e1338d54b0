import { sleep } from '../base/clock.ts'
import { Fault, isRetryable, type Problem, Refusal, toFault } from '../base/errors.ts'
import type { CallContext, Operation } from '../engine/port.ts'
import { textsTokensBound } from '../meter/bound.ts'
import { estimateTextTokens } from '../meter/estimate.ts'
import { HeldCall } from '../meter/spending.ts'
import { NO_USAGE, type Usage } from '../meter/usage.ts'
import type { OpenSpan } from '../trace/trace.ts'
import { USES_NOTHING } from './attempt.ts'
import type { CallDependencies } from './call.ts'
import { deploymentName, type Deployment, type LogicalModel } from './catalogue.ts'
import { sizeOfTexts } from './route/size.ts'
import { Turn, Turns } from './route/turns.ts'

/** One call that answers at once, without a stream, over the deployments of a logical model. */

interface Answered {
  /** What the deployment said about itself, where it did. */
  readonly usage: Usage | undefined
}

type Ask<Answer extends Answered> = (
  deployment: Deployment,
  context: CallContext & { readonly signal: AbortSignal },
) => Promise<Answer>

export interface DirectCall extends Pick<CallContext, 'requestId' | 'spending'> {
  readonly operation: Operation
  readonly model: LogicalModel
  /** Everything the engine reads. */
  readonly texts: readonly string[]
  /** What one deployment reads of them; absent: everything. */
  readonly textsFor?: (deployment: Deployment) => readonly string[]
  /** What is used that is not counted in tokens. */
  readonly units?: number
  /** Where the attempts are recorded. */
  readonly span: OpenSpan
  readonly signal: AbortSignal
}

/** Asks one deployment after another, while failing elsewhere may help. Rejects with the last
 *  `Fault`; a budget's refusal is returned. */
export async function askInTurn<Answer extends Answered>(
  dependencies: CallDependencies,
  { requestId, operation, model, texts: all, textsFor, units, spending, span: call, signal }: DirectCall,
  ask: Ask<Answer>,
): Promise<{ readonly deployment: Deployment; readonly answered: Answer } | Refusal> {
  const { clock } = dependencies
  const deadlineMs = clock.monotonicMs() + model.timeouts.totalMs
  const turns = new Turns(dependencies, model, { operation, size: sizeOfTexts(all), atMs: spending.atMs })
  let last: Problem | undefined
  for (;;) {
    const turn = turns.next(last, deadlineMs - clock.monotonicMs())
    if (!(turn instanceof Turn)) return given(turn)
    if (turn.delayMs > 0) await sleep(clock, turn.delayMs, signal)
    const { deployment, model: of } = turn.candidate
    const texts = textsFor?.(deployment) ?? all
    const price = deployment.priceAt?.(spending.atMs)
    const held = await spending.hold({
      model: of.name,
      deployment: deploymentName(deployment),
      // A price of tokens says nothing about units.
      price: units !== undefined && price?.price.unitNanoUsd === undefined ? undefined : price,
      ...(units === undefined ? {} : { units }),
      input: () => ({ tokensMax: textsTokensBound(texts, deployment.tokenizer), unbounded: undefined }),
      outputTokensMax: 0,
      choices: 1,
    })
    if (!(held instanceof HeldCall)) {
      last ??= held instanceof Refusal ? held : held.otherwise
      continue
    }
    const begun = signal.aborted ? undefined : turns.begin(turn.candidate)
    if (begun === undefined) {
      held.cancel()
      if (signal.aborted) throw toFault(signal.reason)
      continue
    }
    const ownCount = (): Usage => ({
      ...NO_USAGE,
      inputTokens: texts.reduce((sum, text) => sum + estimateTextTokens(text, deployment.tokenizer), 0),
      ...(units === undefined ? { estimated: true } : { units }),
    })
    // At once, and not when the engine has noticed: by then the request is closed.
    const isFirst = last === undefined
    const stopped = (): void => {
      // Whoever stopped it was not the engine, unless that had all the time there was.
      const { reason } = signal
      begun.visit?.end(isFirst && reason instanceof Fault && reason.code === 'engine_timeout' ? reason : 'unknown')
      held.settle(ownCount())
    }
    signal.addEventListener('abort', stopped, { once: true })
    const span = call.child('attempt')
    try {
      const connectTimeoutMs = model.timeouts.connectMs
      const answered = await ask(deployment, { requestId, span, spending, signal, connectTimeoutMs })
      begun.visit?.end('answered')
      held.settle(answered.usage ?? ownCount())
      span.end({ deployment: deploymentName(deployment), outcome: 'answered' })
      return { deployment, answered }
    } catch (thrown) {
      const cause = toFault(thrown)
      begun.visit?.end(cause)
      if (USES_NOTHING.has(cause.code)) held.cancel()
      else held.settle(ownCount())
      span.end({ deployment: deploymentName(deployment), outcome: 'failed', error: cause.code })
      if (signal.aborted || !isRetryable(cause)) throw cause
      last = cause
    } finally {
      signal.removeEventListener('abort', stopped)
    }
  }
}

function given(problem: Problem): Refusal {
  if (problem instanceof Refusal) return problem
  throw toFault(problem)
}
