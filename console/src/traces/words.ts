import type { OneTrace, TraceSpan } from '../api/traces.ts'
import { isRecord, textOf } from '../api/shape.ts'
import type { Span } from '../design/timeline.ts'

/** Spans as the stages of a waterfall, which counts from the first of them. */
export function stagesOf(spans: readonly TraceSpan[]): Span[] {
  const startMs = spans.reduce((least, { atMs }) => Math.min(least, atMs), Number.POSITIVE_INFINITY)
  const places = new Map(spans.map(({ id }, at) => [id, at]))
  return spans.map((span) => ({
    name: span.name === '' ? span.kind : span.name,
    parent: places.get(span.parent) ?? -1,
    startMs: span.atMs - startMs,
    endMs: span.atMs - startMs + span.durationMs,
    attributes: {
      kind: span.kind,
      ...(span.model !== '' && { model: span.model }),
      ...(span.error !== '' && { error: span.error }),
      ...span.attributes,
    },
  }))
}

export interface Facts {
  readonly outcome: string
  readonly model: string
  readonly prompt: string
  /** What guards said; empty: none was asked, or none is known. */
  readonly guards: string
}

export function factsOf({ trace, spans, record }: OneTrace): Facts {
  const guards = spans.filter(({ kind, name }) => kind === 'guardrail' || name === 'guard')
  const said = isRecord(record['guard']) ? Object.entries(record['guard']) : []
  return {
    outcome: textOf(record['outcome']) ?? 'unknown',
    model: textOf(record['model']) ?? trace?.names.model ?? '',
    prompt: textOf(record['prompt']) ?? spans.find(({ prompt }) => prompt !== '')?.prompt ?? '',
    guards: [
      ...guards.map(({ name, status }) => `${name}: ${status === 'error' ? 'stopped it' : 'let it pass'}`),
      ...said.map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`),
    ].join(', '),
  }
}
