import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { crc32 } from 'node:zlib'
import { isObject, type Json } from '../../base/json.ts'
import type { VectorProbe } from '../../store/vectors.ts'
import { isCode, syncFolder, writeDurably } from '../../base/durable.ts'

/** What a published segment says about itself, so that one that was changed since is noticed. */

/** Looked at all, or found by a graph. */
export type Kind = 'flat' | 'graph'

export interface Description {
  readonly kind: Kind
  readonly dimension: number
  readonly probe: VectorProbe
  readonly files: readonly FileSum[]
}

export interface FileSum {
  readonly path: string
  readonly bytes: number
  /** CRC-32 of each block; null for one that zvec itself writes to when it closes what it had open,
   *  even for reading: it keeps a counter and a time there. */
  readonly blocks: readonly (number | null)[]
}

const NAME = 'description.json'
/** There once a block was found that is not what it was: says which. */
const DAMAGED = 'damaged'
/** zvec's own marks of a running process. */
const UNSUMMED = new Set(['LOCK', 'LOG'])
const BLOCK_BYTES = 64 * 1024
/** What is read at once: whole blocks. */
export const READ_BYTES = 16 * BLOCK_BYTES
/** A larger file is compared by its size alone when it is opened, since reading gigabytes would keep a restart
 *  from serving, and read in the background later. */
export const SUMMED_BYTES_MAX = 64 * 2 ** 20

/** Of all files in a finished folder. */
export async function sumFiles(folder: string): Promise<FileSum[]> {
  const files: FileSum[] = []
  for (const path of await filesIn(folder)) files.push({ path, ...(await sumOf(join(folder, path))) })
  return files
}

/** The text of a folder's description: what was the same at both times is to stay as it is. */
export function describe(
  about: Omit<Description, 'files'>,
  before: readonly FileSum[],
  after: readonly FileSum[],
): string {
  const files = after.map((file) => {
    const former = before.find(({ path }) => path === file.path)
    const blocks = file.blocks.map((sum, at) => (former === undefined || former.blocks[at] === sum ? sum : null))
    return { ...file, blocks }
  })
  const body = JSON.stringify({ ...about, files } satisfies Description)
  return `${sumText(body)}\n${body}\n`
}

/** A text where the folder is not as it was described: what is wrong with it. */
export async function readDescription(folder: string, summedBytesMax: number): Promise<Description | string> {
  let text: string
  try {
    text = await readFile(join(folder, NAME), 'utf8')
  } catch (thrown) {
    return isCode(thrown, 'ENOENT') ? 'they are missing' : String(thrown)
  }
  const damage = await readFile(join(folder, DAMAGED), 'utf8').catch(() => undefined)
  if (damage !== undefined) return damage
  const body = text.slice(9, -1)
  if (text.slice(0, 8) !== sumText(body)) return 'their description is damaged'
  const parsed = JSON.parse(body) as Json
  if (!isObject(parsed)) return 'their description is malformed'
  // Its sum says that it is what `describe` wrote.
  const description = parsed as unknown as Description
  for (const file of description.files) {
    const wrong = await compare(join(folder, file.path), file, file.bytes <= summedBytesMax)
    if (wrong !== undefined) return `${file.path} ${wrong}`
  }
  return description
}

async function compare(path: string, { bytes, blocks }: FileSum, isSummed: boolean): Promise<string | undefined> {
  try {
    if ((await stat(path)).size !== bytes) return 'has another size'
    if (!isSummed) return undefined
    const now = await sumOf(path)
    return blocks.every((sum, at) => sum === null || sum === now.blocks[at]) ? undefined : 'was changed'
  } catch {
    return 'is missing'
  }
}

async function sumOf(path: string): Promise<{ readonly bytes: number; readonly blocks: number[] }> {
  const blocks: number[] = []
  let bytes = 0
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(READ_BYTES)
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, bytes)
      if (bytesRead === 0) return { bytes, blocks }
      // Only the last read falls short of whole blocks.
      for (let at = 0; at < bytesRead; at += BLOCK_BYTES)
        blocks.push(crc32(buffer.subarray(at, Math.min(bytesRead, at + BLOCK_BYTES))))
      bytes += bytesRead
    }
  } finally {
    await file.close()
  }
}

/** Where in a file the first block begins that is not as it was summed, of bytes read from `from` on. */
export function wrongBlock(bytes: Uint8Array, from: number, blocks: FileSum['blocks']): number | undefined {
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const sum = blocks[(from + at) / BLOCK_BYTES]
    if (sum !== null && sum !== crc32(bytes.subarray(at, at + BLOCK_BYTES))) return from + at
  }
  return undefined
}

/** Keeps it from being opened again. */
export const markDamaged = (folder: string, reason: string): Promise<void> =>
  writeDurably(join(folder, DAMAGED), Buffer.from(reason), 'w')

const sumText = (text: string): string => crc32(text).toString(16).padStart(8, '0')

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
    .filter((entry) => entry.isFile() && !UNSUMMED.has(entry.name) && entry.name !== NAME && entry.name !== DAMAGED)
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
}
