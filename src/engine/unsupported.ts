import { type Fault, fault } from '../base/errors.ts'
import type { Attempt, ChatSink, Operation } from './port.ts'

/** What an engine says that has no such operation. */
export const unsupported = (model: string, operation: Operation): Fault =>
  fault('operation_unsupported', { model, operation })

/** A chat with an engine that has none. */
export function unsupportedChat(model: string, sink: ChatSink): Attempt {
  let over = false
  queueMicrotask(() => {
    if (!over) sink.fail(unsupported(model, 'chat'))
  })
  return { cancel: () => void (over = true), pause: () => {}, resume: () => {} }
}
