import { systemClock as clock } from '../base/clock.ts'

/** What a child process of the house does. Each role loads what it needs and no more. */
export async function serveRole(role: string, [indexFolder = '']: readonly string[]): Promise<void> {
  if (role === 'gateway') return (await import('./gateway-child.ts')).serveGateway()
  if (role !== 'search' && role !== 'ingest') throw new Error(`There is no role "${role}".`)
  const { Analyzer } = await import('../base/words.ts')
  const { openFilesystemIndex } = await import('../drivers/filesystem/index.ts')
  const index = openFilesystemIndex(indexFolder, new Analyzer())
  if (role === 'search') return (await import('../drivers/process/index.ts')).serveIndex(index)
  const { files } = await import('../drivers/filesystem/folder.ts')
  const { serveIngest } = await import('../drivers/process/ingest.ts')
  const { LocalWorker } = await import('../retrieval/ingest/worker.ts')
  serveIngest(new LocalWorker({ index, files, clock }))
}
