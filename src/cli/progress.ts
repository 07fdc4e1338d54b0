import type { Clock } from '../base/clock.ts'
import type { Output } from './context.ts'
import { cut } from './text.ts'

/** Progress of something long: one line redrawn on a terminal, plain lines now and then
 *  elsewhere. */
export interface Progress {
  /** `total` undefined: not known yet. */
  update(done: number, total: number | undefined, note: string): void
  /** Takes the bar away. */
  end(): void
}

const REDRAW_MS = 80
const PLAIN_LINE_MS = 2_000
const BAR_WIDTH = 28

export function openProgress(output: Output, clock: Clock, label: string): Progress {
  let drawnAtMs = output.isTerminal ? -Infinity : clock.monotonicMs()
  let drawn = false
  return {
    update(done, total, note) {
      const now = clock.monotonicMs()
      if (now - drawnAtMs < (output.isTerminal ? REDRAW_MS : PLAIN_LINE_MS)) return
      drawnAtMs = now
      drawn = true
      if (output.isTerminal)
        output.write(`\r\x1b[K${cut(`${label} ${bar(done, total)} ${note}`, Math.max(20, output.columns - 1))}`)
      else output.write(`${label} ${percent(done, total)}${note}\n`)
    },
    end() {
      if (drawn && output.isTerminal) output.write('\r\x1b[K')
    },
  }
}

const percent = (done: number, total: number | undefined): string =>
  total === undefined || total === 0 ? '' : `${share(done, total)} `
const share = (done: number, total: number): string =>
  `${Math.floor((100 * Math.min(done, total)) / total)}%`.padStart(4)

/** `██████░░░░  42%`. */
function bar(done: number, total: number | undefined): string {
  if (total === undefined || total === 0) return '░'.repeat(BAR_WIDTH)
  const full = Math.round((BAR_WIDTH * Math.min(done, total)) / total)
  return `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)} ${share(done, total)}`
}

const SHARE_WIDTH = 12

/** `████░░░░░░░░  33%`; more than all is full. */
export function shareBar(part: number): string {
  const full = Math.round(SHARE_WIDTH * Math.max(0, Math.min(1, part)))
  return `${'█'.repeat(full)}${'░'.repeat(SHARE_WIDTH - full)} ${`${Math.round(100 * part)}%`.padStart(4)}`
}
