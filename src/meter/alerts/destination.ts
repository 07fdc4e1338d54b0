import type { Message } from './alerts.ts'

/** Where messages about alerts go. What is sent is made when the message is taken up, so that a
 *  delivery that is tried again says the same. */
export interface Destination {
  readonly kind: 'webhook' | 'slack' | 'email'
  /** Tells it from the others, and is shown: no secret. */
  readonly name: string
  /** Whether a receiver can know that it was us. */
  readonly isSigned: boolean
  bodyOf(message: Message): string
  /** Why it was not taken; undefined where it was. Ends soon once `signal` is aborted. `id` is that of
   *  the message, the same every time. */
  send(id: string, body: string, signal: AbortSignal): Promise<string | undefined>
}

/** Lines of evidence in a text, and characters of one. */
const LINES_MAX = 20
const LINE_UNITS_MAX = 300

/** A message for people: what it is about, and the figures that have a line. */
export function wordsOf({ type, alert }: Message, publicUrl: string | undefined): { title: string; lines: string[] } {
  const about = Object.entries(alert.subject).map(([name, value]) => `${name} ${value}`)
  const what = type === 'alert.closed' ? 'over' : type === 'alert.changed' ? `now ${alert.step ?? 'changed'}` : 'raised'
  const lines = Object.entries(alert.evidence)
    .filter(([name, value]) => name !== 'link' && value !== null && typeof value !== 'object')
    .slice(0, LINES_MAX)
    .map(([name, value]) => `${name}: ${plain(value)}`)
  if (alert.closed !== undefined) lines.unshift(`closed: ${plain(alert.closed.because)}`)
  const { link } = alert.evidence
  if (typeof link === 'string') lines.push(`evidence: ${(publicUrl ?? '').replace(/\/$/, '')}${link}`)
  lines.push(`alert: ${alert.id}`)
  return { title: plain(`${alert.kind} ${what}: ${about.join(', ')}`), lines }
}

/** On one line: a subject is what callers call things. */
function plain(value: unknown): string {
  const text = typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(4) : String(value)
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, LINE_UNITS_MAX)
}
