import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { serveThread } from '../../base/threads.ts'
import { reasonOf } from '../../base/errors.ts'
import type { FromArchive, ToArchive } from '../../trace/archive.ts'
import { checkInstalled, removeOthers, SpanFiles } from './span-files.ts'

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
    turn = turn.then(async () =>
      index.postMessage(
        await opened().then(
          (found) => found.take(message),
          (thrown: unknown): FromArchive => ({ failed: reasonOf(thrown), isDiskFull: false }),
        ),
      ),
    )
  })
  serveThread({
    open: () => checkInstalled(),
    removeOthers: (known: readonly string[]) => removeOthers(folder, known),
    trace: async (...asked: Parameters<SpanFiles['trace']>) => (await opened()).trace(...asked),
    piece: async (...asked: Parameters<SpanFiles['piece']>) => (await opened()).piece(...asked),
    close: () => {
      index.close()
      files?.close()
    },
  })
}
