import { createReadStream } from 'node:fs'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { crc32 } from 'node:zlib'
import { isObject, type Json } from '../../base/json.ts'
import type { VectorProbe } from '../../store/vectors.ts'
import { isCode, syncFolder } from '../../base/durable.ts'

/** What a published segment says about itself, so that one that was changed since is noticed. */

/** Looked at all, or found by a graph. */
export type Kind = 'flat' | 'graph'

export interface Description {
  readonly kind: Kind
  readonly dimension: number
  readonly probe: VectorProbe
  readonly files: readonly FileSum[]
}

interface FileSum {
  readonly path: string
  readonly bytes: number
  readonly crc32: number
}

const NAME = 'description.json'
/** zvec's own marks of a running process. */
const UNSUMMED = new Set(['LOCK', 'LOG'])
/** A larger file is compared by its size when it is opened, and by its sum only when it is asked
 *  for: reading gigabytes would keep a restart from serving. */
const SUMMED_BYTES_MAX = 64 * 2 ** 20

/** Of all files in a finished folder, as the text of its description. */
export async function describe(folder: string, about: Omit<Description, 'files'>): Promise<string> {
  const files: FileSum[] = []
  for (const path of await filesIn(folder)) {
    const { bytes, sum } = await sumOf(join(folder, path))
    files.push({ path, bytes, crc32: sum })
  }
  const body = JSON.stringify({ ...about, files } satisfies Description)
  return `${crc32(body).toString(16).padStart(8, '0')}\n${body}\n`
}

/** A text where the folder is not as it was described: what is wrong with it. `whole` compares the
 *  sums of the large files too. */
export async function readDescription(folder: string, whole = false): Promise<Description | string> {
  let text: string
  try {
    text = await readFile(join(folder, NAME), 'utf8')
  } catch (thrown) {
    return isCode(thrown, 'ENOENT') ? 'they are missing' : String(thrown)
  }
  const body = text.slice(9, -1)
  if (text.slice(0, 8) !== crc32(body).toString(16).padStart(8, '0')) return 'their description is damaged'
  const parsed = JSON.parse(body) as Json
  if (!isObject(parsed)) return 'their description is malformed'
  // Its sum says that it is what `describe` wrote.
  const description = parsed as unknown as Description
  for (const { path, bytes, crc32: sum } of description.files) {
    const wrong = await compare(join(folder, path), bytes, whole || bytes <= SUMMED_BYTES_MAX ? sum : undefined)
    if (wrong !== undefined) return `${path} ${wrong}`
  }
  return description
}

async function compare(path: string, bytes: number, sum: number | undefined): Promise<string | undefined> {
  try {
    if ((await stat(path)).size !== bytes) return 'has another size'
    if (sum !== undefined && (await sumOf(path)).sum !== sum) return 'was changed'
    return undefined
  } catch {
    return 'is missing'
  }
}

async function sumOf(path: string): Promise<{ readonly bytes: number; readonly sum: number }> {
  let [bytes, sum] = [0, 0]
  for await (const part of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    const piece = part as Buffer
    bytes += piece.length
    sum = crc32(piece, sum)
  }
  return { bytes, sum }
}

/** Brings all files to the disk, then the folders that hold them. */
export async function syncFiles(folder: string): Promise<void> {
  const folders = new Set([folder])
  for (const path of await filesIn(folder)) {
    const handle = await open(join(folder, path), 'r+')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
    folders.add(join(folder, path, '..'))
  }
  for (const one of folders) await syncFolder(one)
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && !UNSUMMED.has(entry.name) && entry.name !== NAME)
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
}
