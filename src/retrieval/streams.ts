import type { Refusal } from '../base/errors.ts'
import type { SourceConfig } from '../config/schema.ts'

export type StreamConfig = Extract<SourceConfig, { readonly kind: 'nats' | 'kafka' }>

export const isStream = (source: SourceConfig): source is StreamConfig =>
  source.kind === 'nats' || source.kind === 'kafka'

/** Sources that bring documents as they come into being: at least once, in order unless one had to be
 *  brought again. */
export interface Streams {
  /** Refused (`source_unreadable`) where what is declared is not there; rejects with a `Fault`
   *  (`source_unavailable`) where a later try may succeed. */
  open(spec: StreamConfig): Promise<Stream | Refusal>
}

export interface Stream {
  /** The same at every opening, free of secrets: `nats:ORDERS`. */
  readonly locator: string
  /** At most `most` messages, as soon as there are some; none after `waitMs`. Rejects with a `Fault`
   *  (`source_unavailable`) where the stream is lost. */
  next(most: number, waitMs: number): Promise<readonly Message[]>
  close(): Promise<void>
}

export interface Message {
  /** Where it stands in the stream. */
  readonly position: string
  readonly bytes: Uint8Array
  /** It will not come again. */
  done(): Promise<void>
  /** It comes again, after `delayMs` at the earliest. */
  again(delayMs: number): Promise<void>
}
