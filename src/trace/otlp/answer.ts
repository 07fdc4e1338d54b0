import { PbfWriter } from 'pbf'
import type { Signal } from '../raw.ts'

/** How much of a body was not taken, and why. */
export interface Rejected {
  readonly count: number
  readonly reason: string
}

const COUNT_NAME: { readonly [Name in Signal]: string } = {
  traces: 'rejectedSpans',
  logs: 'rejectedLogRecords',
  metrics: 'rejectedDataPoints',
}

/** The answer to an export: empty where everything was taken, else its `partial_success`. */
export function exportAnswer(signal: Signal, { count, reason }: Rejected, encoding: 'json' | 'protobuf'): Uint8Array {
  if (encoding === 'json') {
    const answer = count === 0 ? {} : { partialSuccess: { [COUNT_NAME[signal]]: String(count), errorMessage: reason } }
    return Buffer.from(JSON.stringify(answer))
  }
  const pbf = new PbfWriter()
  if (count > 0)
    pbf.writeMessage(
      1,
      (_, inner) => {
        inner.writeVarintField(1, count)
        inner.writeStringField(2, reason)
      },
      undefined,
    )
  return pbf.finish()
}

/** `google.rpc.Status`, as OTLP asks of refusals in protobuf. */
export function statusAnswer(message: string, encoding: 'json' | 'protobuf'): Uint8Array {
  if (encoding === 'json') return Buffer.from(JSON.stringify({ message }))
  const pbf = new PbfWriter()
  pbf.writeStringField(2, message)
  return pbf.finish()
}
