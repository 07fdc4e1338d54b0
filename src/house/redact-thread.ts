import { parentPort } from 'node:worker_threads'
import { systemClock } from '../base/clock.ts'
import type { Json } from '../base/json.ts'
import { serveThread } from '../base/threads.ts'
import { redactor } from '../guard/content/redact.ts'

/** Looks through texts in a thread of its own: a long one takes a while, and no request is to wait for it. */

if (parentPort !== null) {
  const redact = redactor(systemClock)
  serveThread({
    redact: (text: string) => JSON.stringify(redact(JSON.parse(text) as Json)),
    close: () => undefined,
  })
}
