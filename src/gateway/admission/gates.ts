import type { Clock } from '../../base/clock.ts'
import { refuse, type Refusal } from '../../base/errors.ts'
import type { Headers, Reply } from '../../base/http.ts'
import type { Principal } from '../../guard/principal.ts'
import type { LogicalModel } from '../catalogue.ts'
import { type Entrant, Gate, type Pass, type Priority } from './gate.ts'

/** The gates of all models that have one, kept over reloads. */
export class Gates {
  readonly #clock: Clock
  readonly #gates = new Map<string, Gate>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Undefined where there is no gate. `left`: whoever asked did, while waiting. */
  enter(
    { name, admission }: LogicalModel,
    entrant: Entrant,
    reply: Reply,
  ): Pass | Refusal | undefined | Promise<Pass | Refusal | 'left'> {
    if (admission === undefined) return undefined
    const known = this.#gates.get(name)
    const isSame = known?.settings.inFlightMax === admission.inFlightMax
    const gate = isSame ? known : new Gate(this.#clock, name, admission)
    gate.settings = admission
    this.#gates.set(name, gate)
    return gate.enter(entrant, (leave) => reply.onGone(leave))
  }
}

const HEADER = 'x-headworks-priority'

/** A request may step back behind others, never before them. */
export function entrantOf({ id, bindings }: Principal, headers: Headers): Entrant | Refusal {
  const asked = headers[HEADER]
  if (asked !== undefined && asked !== 'interactive' && asked !== 'batch')
    return refuse('field_invalid', {
      field: HEADER,
      problem: 'must be "interactive" or "batch"',
      remedy: 'Leave it out for what the key says.',
    })
  const priority: Priority = bindings.priority === 'batch' || asked === 'batch' ? 'batch' : 'interactive'
  return { priority, tenant: bindings.tenant ?? id }
}

/** Statuses by which an engine says that it has too much to do, or has not answered in time. */
const OVERLOADED: ReadonlySet<number> = new Set([503, 504])

/** The reply, seen by the pass: its head tells how long the pool took to begin. What came from a cache
 *  says nothing about the pool. */
export function timed(reply: Reply, pass: Pass): Reply {
  return {
    head(status, headers) {
      if (OVERLOADED.has(status)) pass.overloaded()
      else if (status === 200 && headers['x-headworks-cache'] !== 'hit') pass.answered()
      reply.head(status, headers)
    },
    write: (bytes) => reply.write(bytes),
    end: (bytes) => reply.end(bytes),
    abort: () => reply.abort(),
    onDrain: (listener) => reply.onDrain(listener),
    onGone: (listener) => reply.onGone(listener),
    get headSent() {
      return reply.headSent
    },
  }
}
