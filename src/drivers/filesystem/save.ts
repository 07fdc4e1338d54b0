import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../../base/durable.ts'

/** Saves what comes piece by piece: beside its place first, so that the file is there whole or not at
 *  all. Resolves to its bytes. */
export async function saveFile(path: string, pieces: AsyncIterable<Uint8Array>): Promise<number> {
  const beside = `${path}.part`
  let bytes = 0
  try {
    const file = await open(beside, 'w', 0o644)
    try {
      for await (const piece of pieces) {
        await file.writeFile(piece)
        bytes += piece.length
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
  } catch (thrown) {
    await rm(beside, { force: true })
    throw thrown
  }
  await syncFolder(dirname(path))
  return bytes
}
