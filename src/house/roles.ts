import { constants, getPriority, setPriority } from 'node:os'
import { systemClock as clock } from '../base/clock.ts'
import type { Index } from '../store/index.ts'

/** How far each stands back for searches and streams, where the machine is busy: as `nice` counts. */
const NICENESS = { gateway: 0, search: 0, ingest: 5, build: 10 } as const

/** What a child process of the house does. Each role loads what it needs and no more. */
export async function serveRole(
  role: string,
  [indexFolder = '', recallAt10 = '', what = role]: readonly string[],
): Promise<void> {
  if (Object.hasOwn(NICENESS, what)) stepBack(NICENESS[what as keyof typeof NICENESS])
  if (role === 'gateway') return (await import('./gateway-child.ts')).serveGateway()
  if (role !== 'search' && role !== 'ingest') throw new Error(`There is no role "${role}".`)
  let tell: ((damage: { segment: string; reason: string }) => void) | undefined
  const onDamage = (segment: string, reason: string): void => tell?.({ segment, reason })
  const index = await openIndex(indexFolder, recallAt10 === '' ? undefined : Number(recallAt10), onDamage)
  if (role === 'search') return void (tell = (await import('../drivers/process/index.ts')).serveIndex(index))
  const { files } = await import('../drivers/filesystem/folder.ts')
  const { serveIngest } = await import('../drivers/process/ingest.ts')
  const { LocalWorker } = await import('../retrieval/ingest/worker.ts')
  serveIngest(new LocalWorker({ index, files, clock }))
}

/** Words and few vectors in files of our own; many vectors where the configuration says. */
async function openIndex(
  folder: string,
  recallAt10: number | undefined,
  onDamage: (segment: string, reason: string) => void,
): Promise<Index> {
  const { Analyzer } = await import('../base/words.ts')
  const { openFilesystemIndex } = await import('../drivers/filesystem/index.ts')
  const { openVectors, VECTORS_VARIABLE } = await import('./vectors.ts')
  const told = process.env[VECTORS_VARIABLE] ?? JSON.stringify({ kind: 'embedded' })
  // What it holds is for us alone.
  delete process.env[VECTORS_VARIABLE]
  const apart = await openVectors(told, folder, onDamage)
  return openFilesystemIndex(folder, new Analyzer(), {
    ...(apart === undefined ? {} : { apart }),
    ...(recallAt10 === undefined ? {} : { target: { recallAt10 } }),
  })
}

/** Relative to what the whole house was started with. */
function stepBack(niceness: number): void {
  if (niceness === 0) return
  try {
    setPriority(Math.min(getPriority() + niceness, constants.priority.PRIORITY_LOW))
  } catch {
    // Not allowed here: then all are alike.
  }
}
