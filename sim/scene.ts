import type { Entry } from '../src/store/events.ts'
import type { Gateway } from '../src/gateway/gateway.ts'
import type { Caller } from './caller.ts'
import type { SimDisk } from './disk.ts'
import type { SimEngine } from './engine.ts'
import type { Kernel } from './kernel.ts'
import type { Life } from './life.ts'
import type { Outgoing } from './outgoing.ts'
import type { Scenario } from './scenario.ts'

/** What the judge looks at. */
export interface Scene {
  readonly scenario: Scenario
  readonly kernel: Kernel
  readonly callers: readonly Caller[]
  readonly engine: SimEngine
  readonly outgoing: Outgoing
  readonly disk: SimDisk
  /** The present life of the house, and its gateway while it takes requests. */
  readonly life: Life
  /** How often the house was started. */
  readonly lives: number
  readonly gateway: Gateway | undefined
}

/** What is durable of one request: the first entry of each phase. */
export interface Recorded {
  open?: Entry
  close?: Entry
}
