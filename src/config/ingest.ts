import * as z from 'zod'
import { integer, meta, text } from './scalars.ts'

/** How documents are read. */
export const INGEST = z.strictObject({
  parallel: integer(1, 64).default(1).meta(meta('Collections that are read at once. Each takes a process of its own.')),
  heapMb: integer(128, 65_536).default(768).meta(meta('Heap of each of these processes, in MiB.')),
  pushDocumentsMax: integer(1, 1_000_000)
    .default(10_000)
    .meta(
      meta(
        'Documents that were sent and are not durable yet, all callers together. Beyond it senders are told to wait (429).',
      ),
    ),
  pushMiBMax: integer(1, 65_536).default(256).meta(meta('The same in MiB.')),
  pushWaitMs: integer(0, 10_000)
    .default(200)
    .meta(meta('How long a document that was sent waits for others to be made durable with it, in milliseconds.')),
  privateHosts: z
    .array(text(256))
    .max(1000)
    .default([])
    .meta(meta('Hosts that sources may call although their addresses are not public: `wiki.example.com`, `10.0.0.7`.')),
})
