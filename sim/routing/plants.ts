import type { Verdict } from '../../src/engine/breaker.ts'
import { Visit } from '../../src/engine/health.ts'
import type { Engine } from '../../src/engine/port.ts'
import type { Deployment } from '../../src/gateway/catalogue.ts'
import type { RoutingInvariant } from './invariants.ts'
import type { Plant } from './world.ts'

/** Faults put on purpose: at least one for every invariant. */

interface Planted {
  readonly plant: Plant
  /** One of these must be seen. */
  readonly breaks: readonly RoutingInvariant[]
}

type Health = NonNullable<Deployment['health']>

/** The books with parts of them changed. */
const altering =
  (change: (health: Health) => Partial<Health>): NonNullable<Plant['health']> =>
  (health) => {
    const altered = Object.create(health) as Health
    const own: Partial<Health> = {
      begin: (operation, work) => health.begin(operation, work),
      circuit: (operation) => health.circuit(operation),
      warmBlocks: (blocks) => health.warmBlocks(blocks),
      report: (signals, staleAfterMs) => health.report(signals, staleAfterMs),
      ...change(health),
    }
    for (const name of GETTERS) Object.defineProperty(altered, name, { get: () => health[name] })
    return Object.assign(altered, own)
  }

/** Kept in private fields, which an heir cannot reach. */
const GETTERS = ['callsInFlight', 'ejected', 'load', 'uncachedInFlight', 'isCrowded'] as const

/** Tells the circuit something else of a call than what became of it. */
const retelling = (retold: (visit: Visit) => Partial<Pick<Visit, 'spoke' | 'end'>>) =>
  altering((health) => ({
    begin: (operation, work) => {
      const visit = health.begin(operation, work)
      if (visit === undefined) return undefined
      const { spoke = () => visit.spoke(), end = (verdict) => visit.end(verdict) } = retold(visit)
      return new Visit({ spoke, outpaced: () => visit.outpaced(), end })
    },
  }))

function unstoppable(engine: Engine): Engine {
  return {
    name: engine.name,
    operations: engine.operations,
    chat: (call, sink) => ({ ...engine.chat(call, sink), cancel() {} }),
    embed: (call) => engine.embed(call),
    rerank: (call) => engine.rerank(call),
    models: (timeoutMs) => engine.models(timeoutMs),
  }
}

export const PLANTS: { readonly [name: string]: Planted } = {
  'a retry budget without bottom': {
    plant: { retries: { earn() {}, spend: () => true, spendSpare: () => true } },
    breaks: ['no engine is asked too often'],
  },
  'a circuit that never opens': {
    plant: { health: retelling((visit) => ({ end: () => visit.end('answered') })) },
    breaks: ['an open circuit gets at most its probes', 'an engine that asks for a pause gets it'],
  },
  'a probe whose failure is not told': {
    plant: {
      health: altering((health) => ({
        begin: (operation, work) => {
          const isProbe = health.circuit(operation).opened !== undefined
          const visit = health.begin(operation, work)
          const tell = (verdict: Verdict): Verdict => (isProbe && verdict !== 'answered' ? 'unknown' : verdict)
          return (
            visit &&
            new Visit({
              spoke: () => visit.spoke(),
              outpaced: () => visit.outpaced(),
              end: (verdict) => visit.end(tell(verdict)),
            })
          )
        },
      })),
    },
    breaks: ['an open circuit gets at most its probes', 'an engine that asks for a pause gets it'],
  },
  'a circuit that all may try': {
    plant: {
      health: altering((health) => ({
        begin: (operation, work) => health.begin(operation, work) ?? new Visit({ spoke() {}, outpaced() {}, end() {} }),
        circuit: () => ({ admits: true, opened: undefined, waitMs: 0 }),
      })),
    },
    breaks: [
      'an open circuit gets at most its probes',
      'an engine that asks for a pause gets it',
      'the books say what is in flight',
    ],
  },
  'a reload that forgets': {
    plant: { forgets: true },
    breaks: [
      'the books say what is in flight',
      'an open circuit gets at most its probes',
      'an engine that asks for a pause gets it',
      'no engine is asked too often',
    ],
  },
  'a pause that is not heard of': {
    plant: {
      health: retelling((visit) => ({
        end: (verdict) =>
          visit.end(
            typeof verdict === 'string' ? verdict : { ...verdict, code: verdict.code, details: { engine: 'e' } },
          ),
      })),
    },
    breaks: ['an engine that asks for a pause gets it'],
  },
  'a circuit that blames the engine': {
    plant: {
      health: retelling((visit) => ({
        end: (verdict) =>
          visit.end(
            typeof verdict !== 'string' && verdict.code === 'engine_rejected'
              ? { code: 'engine_refused', details: verdict.details }
              : verdict,
          ),
      })),
    },
    breaks: ['nobody pays for the fault of a caller', 'what one can answer is answered'],
  },
  'a call that is never taken off the books': {
    plant: { health: retelling((visit) => ({ end: (verdict) => verdict === 'unknown' || visit.end(verdict) })) },
    breaks: ['the books say what is in flight'],
  },
  'a failure that nobody stands in for': {
    plant: { model: (model) => ({ ...model, deployments: model.deployments.slice(0, 1), fallback: [] }) },
    breaks: ['what one can answer is answered'],
  },
  'a circuit that never closes': {
    plant: {
      health: retelling((visit) => ({
        spoke: () => {},
        end: (verdict) => visit.end(verdict === 'answered' ? 'unknown' : verdict),
      })),
    },
    breaks: ['who is well again is asked again', 'what one can answer is answered'],
  },
  'an answer that is given twice': {
    plant: {
      call: (call) => (dependencies, request, sink) =>
        call(dependencies, request, {
          ...sink,
          commit: (deployment) => {
            sink.commit(deployment)
            sink.commit(deployment)
          },
          frame: (frame) => sink.frame(frame),
          end: (end) => sink.end(end),
          fail: (problem) => sink.fail(problem),
        }),
    },
    breaks: ['an answer is of one engine, and comes once'],
  },
  'an engine that is not told to stop': {
    plant: {
      model: (model) => ({
        ...model,
        deployments: model.deployments.map((deployment) => ({ ...deployment, engine: unstoppable(deployment.engine) })),
      }),
    },
    breaks: ['who is not listened to is stopped', 'the books say what is in flight'],
  },
  'an affinity that draws lots': {
    plant: { model: ({ affinity: _affinity, ...model }) => ({ ...model, routing: 'weighted' }) },
    breaks: ['who keeps to one stays with it'],
  },
  'a clock that rings for nobody': {
    plant: {
      clock: (clock) => ({
        ...clock,
        after: (delayMs, task) => (delayMs > 2_900 ? { cancel() {} } : clock.after(delayMs, task)),
      }),
    },
    breaks: ['every request ends'],
  },
}
