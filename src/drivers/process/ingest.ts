import { Worker } from 'node:worker_threads'
import type { IngestWorker } from '../../retrieval/ingest/port.ts'
import { Child, type ChildOptions, serve } from './child.ts'

/** The reading of documents in a process of its own, so that a file that crashes, hangs or bloats
 *  its parser ends that process and not ours. */

/** Building the segment of a full batch takes about a second; a slow disk may need many. */
const BUILD_TIMEOUT_MS = 300_000
const HASH_TIMEOUT_MS = 30_000

type InProcess = Omit<IngestWorker, 'close'>

interface Arguments {
  add: Parameters<IngestWorker['add']>[0]
  probe: Parameters<IngestWorker['probe']>[0]
  hash: Parameters<IngestWorker['hash']>[0]
  seal: { readonly segment: string; readonly sealing: Parameters<IngestWorker['seal']>[1] }
  fit: Parameters<IngestWorker['fit']>[0]
  fold: { readonly name: string; readonly bytes: Uint8Array | undefined; readonly texts: readonly string[] }
  build: { readonly segment: string; readonly chunks: Parameters<IngestWorker['build']>[1] }
  cut: { readonly documents: Parameters<IngestWorker['cut']>[0]; readonly chunking: Parameters<IngestWorker['cut']>[1] }
}

/** The parent's side. */
export function openProcessIngest(
  options: Omit<ChildOptions, 'prepare'>,
): IngestWorker & { readonly pid: number | undefined } {
  const child = new Child(options)
  const call = <Value>(
    method: keyof Arguments | 'batch' | 'discard',
    argument: unknown,
    timeoutMs: number,
  ): Promise<Value> => child.call<Value>(method, argument, { timeoutMs })
  return {
    get pid() {
      return child.pid
    },
    add: (files, timeoutMs) => call('add', files, timeoutMs),
    probe: (file, timeoutMs) => call('probe', file, timeoutMs),
    hash: (path) => call('hash', path, HASH_TIMEOUT_MS),
    batch: () => call('batch', undefined, HASH_TIMEOUT_MS),
    seal: (segment, sealing) => call('seal', { segment, sealing }, BUILD_TIMEOUT_MS),
    fit: (texts) => call('fit', texts, BUILD_TIMEOUT_MS),
    fold: (name, bytes, texts) => call('fold', { name, bytes, texts }, BUILD_TIMEOUT_MS),
    discard: () => call('discard', undefined, HASH_TIMEOUT_MS),
    build: (segment, chunks) => call('build', { segment, chunks }, BUILD_TIMEOUT_MS),
    cut: (documents, chunking) => call('cut', { documents, chunking }, BUILD_TIMEOUT_MS),
    // What it was doing is done again by whoever leases the run next: nothing to wait for.
    close: () => child.stop(0),
  }
}

/** Resident memory past which the process ends itself. The heap has its own limit; this one is for
 *  what a parser allocates outside of it, such as an inflated stream. */
const RESIDENT_BYTES_MAX = 1.5 * 2 ** 30

/** The child's side: `worker` reads until the parent is gone. */
export function serveIngest(worker: InProcess, residentBytesMax: number = RESIDENT_BYTES_MAX): void {
  watchOver(residentBytesMax)
  serve({
    // The parent's side keeps the time.
    add: (files: Arguments['add']) => worker.add(files, Infinity),
    probe: (file: Arguments['probe']) => worker.probe(file, Infinity),
    hash: (path: Arguments['hash']) => worker.hash(path),
    batch: () => worker.batch(),
    seal: ({ segment, sealing }: Arguments['seal']) => worker.seal(segment, sealing),
    fit: (texts: Arguments['fit']) => worker.fit(texts),
    fold: ({ name, bytes, texts }: Arguments['fold']) => worker.fold(name, bytes, texts),
    discard: () => worker.discard(),
    build: ({ segment, chunks }: Arguments['build']) => worker.build(segment, chunks),
    cut: ({ documents, chunking }: Arguments['cut']) => worker.cut(documents, chunking),
  })
}

/** A thread of its own looks after the process, since a parser that hangs lets nothing else run:
 *  it ends the process when its memory grows too far and when its parent is gone. */
function watchOver(residentBytesMax: number): void {
  const watch = new Worker(WATCH, { eval: true, workerData: { residentBytesMax, parent: process.ppid } })
  watch.unref()
}

const WATCH = `
const { workerData } = require('node:worker_threads')
setInterval(() => {
  if (process.memoryUsage.rss() > workerData.residentBytesMax || process.ppid !== workerData.parent) process.kill(process.pid, 'SIGKILL')
}, 100)
`
