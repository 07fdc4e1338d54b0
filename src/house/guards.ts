import { hash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { fault, Fault, Refusal } from '../base/errors.ts'
import type { Headers, HttpClient } from '../base/http.ts'
import { revealed } from '../config/references.ts'
import type { Config, GuardConfig } from '../config/schema.ts'
import type { Secrets } from '../config/secret.ts'
import { askForJson } from '../engine/exchange.ts'
import { Blocklist } from '../guard/guardrails/blocklist.ts'
import type { Detector } from '../guard/guardrails/finding.ts'
import type { Action, Guardrail } from '../guard/guardrails/guardrail.ts'
import { Guardrails } from '../guard/guardrails/guardrails.ts'
import { readVerdict, type RemoteCheck } from '../guard/guardrails/remote.ts'
import { piiDetector } from '../guard/guardrails/pii.ts'
import { secretDetector } from '../guard/guardrails/secrets.ts'

interface GuardDependencies {
  readonly clock: Clock
  readonly secrets: Secrets
  readonly client: () => Promise<HttpClient>
}

/** The guardrails of a configuration, by the names that a model lists. Rejects with a `Fault` where one cannot
 *  be made. */
export async function openGuards(
  guards: Config['guards'],
  dependencies: GuardDependencies,
): Promise<(names: readonly string[]) => Guardrails | undefined> {
  const made = new Map<string, Guardrail>()
  for (const [name, guard] of Object.entries(guards)) made.set(name, await guardrailOf(name, guard, dependencies))
  return (names) => {
    const listed = names.flatMap((name) => made.get(name) ?? [])
    if (listed.length === 0) return undefined
    const version = hash('sha256', JSON.stringify(names.map((name) => [name, guards[name] ?? null])), 'hex')
    return new Guardrails(listed, version, dependencies.clock)
  }
}

async function guardrailOf(
  name: string,
  guard: GuardConfig,
  { secrets, client }: GuardDependencies,
): Promise<Guardrail> {
  const { budgetMs, onFailure } = guard
  const common = { name, budgetMs, onFailure, ...pointsOf(guard) }
  if (guard.kind === 'injection') return { ...common, kind: 'injection', scoreMin: guard.scoreMin }
  if (guard.kind === 'schema') return { ...common, kind: 'schema' }
  if (guard.kind === 'http') {
    const headers = Object.entries(guard.headers ?? {}).map(([header, value]) => [header, revealed(value, secrets)])
    const check = checkAt(name, guard.url, Object.fromEntries(headers), await client())
    return { ...common, kind: 'remote', check }
  }
  return { ...common, kind: 'spans', detector: detectorOf(name, guard) }
}

/** A guardrail behind an address. */
const checkAt = (name: string, url: string, headers: Headers, client: HttpClient): RemoteCheck => ({
  async ask(question, timeoutMs) {
    const request = {
      method: 'POST' as const,
      url,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(question),
      connectTimeoutMs: timeoutMs,
    }
    const answer = await askForJson(client, name, request, AbortSignal.timeout(timeoutMs))
    const verdict = readVerdict(answer, question.texts.length)
    if (verdict === undefined) throw fault('engine_garbled', { engine: name, reason: 'its answer is no verdict' })
    return verdict
  },
})

function pointsOf(guard: GuardConfig): { input?: Action; output?: Action } {
  const input = 'input' in guard ? guard.input : undefined
  return { ...(input === undefined ? {} : { input }), ...(guard.output === undefined ? {} : { output: guard.output }) }
}

function detectorOf(name: string, guard: Extract<GuardConfig, { kind: 'pii' | 'secrets' | 'blocklist' }>): Detector {
  if (guard.kind === 'pii') return piiDetector(guard.find)
  if (guard.kind === 'secrets') return secretDetector()
  const list = Blocklist.of(guard.words, guard.patterns)
  if (!(list instanceof Refusal)) return list
  throw list.code === 'field_invalid'
    ? new Fault(list.code, { ...list.details, field: `guards.${name}.patterns` })
    : fault('internal', { reason: list.code })
}
