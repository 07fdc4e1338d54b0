import type { Prompt } from '../../engine/health.ts'
import type { Operation } from '../../engine/port.ts'
import type { RequestSize } from './size.ts'

/** What a decision may depend on beside the books of the deployments. */
export interface RouteRequest {
  readonly operation: Operation
  readonly size: RequestSize
  /** Whose prices hold, in wall milliseconds. */
  readonly atMs: number
  /** Its first token is waited for, and not the whole. */
  readonly stream?: boolean
  /** Absent: it keeps to nobody. */
  readonly asker?: Asker
  /** Absent: it has none to be known again by. The same at every call. */
  readonly prompt?: () => Prompt
}

/** To whom requests belong that keep to one deployment. */
export interface Asker {
  readonly user?: string
  readonly session?: string
}
