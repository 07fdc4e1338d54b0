import { Fault, fault, reasonOf } from '../../base/errors.ts'

/** What went wrong while asking. */
export function lanceFault(thrown: unknown): Fault {
  return thrown instanceof Fault ? thrown : unavailable(lanceReason(thrown), thrown)
}

/** What went wrong while writing. */
export function unwritable(thrown: unknown): Fault {
  return thrown instanceof Fault ? thrown : fault('store_unavailable', { reason: lanceReason(thrown) }, thrown)
}

export const unavailable = (reason: string, cause?: unknown): Fault => fault('index_unavailable', { reason }, cause)

/** Its errors name their causes once more, with lines of its source. */
export const lanceReason = (thrown: unknown): string => `LanceDB: ${reasonOf(thrown).split(/, \/|\s+Caused by/)[0]}`
