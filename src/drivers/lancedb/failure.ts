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

/** Its errors name their causes once more, with lines of its source; those of an object store hold the
 *  whole answer, of which the code is what tells. */
export function lanceReason(thrown: unknown): string {
  const whole = reasonOf(thrown)
  const status = /status: (\d{3})/.exec(whole)?.[1]
  const code = /<Code>(\w+)<\/Code>/.exec(whole)?.[1]
  if (status !== undefined || code !== undefined)
    return `LanceDB: the object store answers ${[status, code].filter((one) => one !== undefined).join(' ')}`
  return `LanceDB: ${whole.split(/, \/|\s+Caused by/)[0]}`
}
