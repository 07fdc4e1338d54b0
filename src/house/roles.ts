import { systemClock as clock } from '../base/clock.ts'
import { Analyzer } from '../base/words.ts'
import { files } from '../drivers/filesystem/folder.ts'
import { openFilesystemIndex } from '../drivers/filesystem/index.ts'
import { serveIndex } from '../drivers/process/index.ts'
import { serveIngest } from '../drivers/process/ingest.ts'
import { LocalWorker } from '../retrieval/ingest/worker.ts'

/** What a child process of the house does. */
export function serveRole(role: string, [indexFolder = '']: readonly string[]): void {
  const analyzer = new Analyzer()
  const index = openFilesystemIndex(indexFolder, analyzer)
  if (role === 'search') serveIndex(index)
  else if (role === 'ingest') serveIngest(new LocalWorker({ index, files, clock }))
  else throw new Error(`There is no role "${role}".`)
}
