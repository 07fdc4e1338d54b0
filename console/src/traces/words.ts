import type { OneTrace, TraceSpan } from '../api/traces.ts'
import { isRecord, listOf, textOf } from '../api/shape.ts'
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
  /** What guards found and did; empty: none was asked, none found anything, or none is known. */
  readonly guards: string
}

export function factsOf({ trace, spans, record }: OneTrace): Facts {
  return {
    outcome: textOf(record['outcome']) ?? 'unknown',
    model: textOf(record['model']) ?? trace?.names.model ?? '',
    prompt: textOf(record['prompt']) ?? spans.find(({ prompt }) => prompt !== '')?.prompt ?? '',
    guards: listOf(record['guards'], guardText).join('; '),
  }
}

/** `privacy, input: redact (email 1, phone 2)`. */
function guardText(value: unknown): string | undefined {
  const guard = isRecord(value) ? textOf(value['guard']) : undefined
  if (!isRecord(value) || guard === undefined) return undefined
  const found = Object.entries(isRecord(value['found']) ? value['found'] : {}).map(
    ([what, count]) => `${what} ${String(count)}`,
  )
  const verdict = value['verdict'] === 'none' ? ', did not answer in time' : ''
  const what = found.length === 0 ? '' : ` (${found.join(', ')})`
  return `${guard}, ${textOf(value['point']) ?? ''}: ${textOf(value['action']) ?? ''}${what}${verdict}`
}
