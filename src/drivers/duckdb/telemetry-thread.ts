import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { serveThread } from '../../base/threads.ts'
import type { ToArchive } from '../../trace/archive.ts'
import { SpanFiles } from './span-files.ts'

/** The thread that writes and reads files of spans. */

export interface ArchiveData {
  readonly folder: string
  /** To the index, which says what to write. */
  readonly index: MessagePort
}

if (parentPort !== null) {
  const { folder, index } = workerData as ArchiveData
  let files: SpanFiles | undefined
  let turn: Promise<unknown> = Promise.resolve()
  const opened = async (): Promise<SpanFiles> => (files ??= await SpanFiles.open(folder))
  index.on('message', (message: ToArchive) => {
    turn = turn.then(async () => index.postMessage(await (await opened()).take(message)))
  })
  serveThread({
    open: async () => void (await opened()),
    removeOthers: async (known: readonly string[]) => (await opened()).removeOthers(known),
    trace: async (...asked: Parameters<SpanFiles['trace']>) => (await opened()).trace(...asked),
    count: async (...asked: Parameters<SpanFiles['count']>) => (await opened()).count(...asked),
    piece: async (...asked: Parameters<SpanFiles['piece']>) => (await opened()).piece(...asked),
    close: () => {
      index.close()
      files?.close()
    },
  })
}
