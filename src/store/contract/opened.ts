import assert from 'node:assert/strict'
import { Fault, type ErrorCode } from '../../base/errors.ts'
import type { Clock } from '../../base/clock.ts'

/** What a driver hands to a contract suite. */
export interface Opened<Port> {
  readonly port: Port
  close(): Promise<void>
}

export type Open<Port> = (clock: Clock) => Promise<Opened<Port>>

/** For the suites of what lasts, which a driver that keeps nothing does not run. */
export interface OpenedDurable<Port> extends Opened<Port> {
  /** Closes the port and opens what it left behind. */
  reopen(): Promise<Port>
}

export type OpenDurable<Port> = (clock: Clock) => Promise<OpenedDurable<Port>>

/** Wall time that stands still until it is moved. */
export class StoppedClock implements Clock {
  nowMs: number

  constructor(nowMs = 1_700_000_000_000) {
    this.nowMs = nowMs
  }

  wallMs(): number {
    return this.nowMs
  }

  monotonicMs(): number {
    return this.nowMs
  }

  after(): never {
    throw new Error('a store sets no timer')
  }
}

/** Asserts that `task` rejects with a `Fault` of this code, whose sentence matches. */
export async function rejects(task: () => Promise<unknown>, code: ErrorCode, sentence?: RegExp): Promise<void> {
  await assert.rejects(task, (thrown: unknown) => {
    assert.ok(thrown instanceof Fault, `not a Fault: ${String(thrown)}`)
    assert.equal(thrown.code, code, thrown.message)
    if (sentence !== undefined) assert.match(thrown.message, sentence)
    return true
  })
}
