import { randomBytes } from 'node:crypto'
import { constants, type Dirent } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fault, reasonOf, type Fault } from '../../base/errors.ts'
import type { BlobName, Blobs } from '../../store/blobs.ts'
import { checkBlobName, checkBlobPrefix, checkBlobSize } from '../../store/bounds.ts'
import { FULL, isCode, syncFolder, writeDurably } from '../../base/durable.ts'

export interface BlobsOptions {
  /** Made when it is missing. Blobs are files below it under their own names. */
  readonly folder: string
  /** Removes what interrupted writes left behind. For the one process that holds the folder,
   *  before it starts others: it would take the half-written files of theirs. */
  readonly sweep: boolean
}

/** Opens a folder of blobs. Rejects with a `Fault`: `data_unusable`, `disk_full`. */
export async function openBlobs({ folder, sweep }: BlobsOptions): Promise<Blobs> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    if (!(await stat(folder)).isDirectory()) throw new Error('it is no folder')
    if (sweep) await sweepFolder(folder)
  } catch (thrown) {
    if (isCode(thrown, ...FULL)) throw fault('disk_full', { path: folder }, thrown)
    throw fault('data_unusable', { path: folder, reason: reasonOf(thrown) }, thrown)
  }
  return new FilesystemBlobs(folder)
}

/** A file not yet renamed. Names of blobs never begin with a dot. */
const UNFINISHED = '.put-'
/** A blob's parent is no folder, or a blob's place is taken by one. */
const FOLDER_CLASH = ['ENOTDIR', 'EISDIR', 'EEXIST', 'ENOTEMPTY'] as const

/** A blob is written beside its place, brought to the disk, renamed, and its folder brought to the
 *  disk: at any moment the name stands for the whole old or the whole new bytes. */
class FilesystemBlobs implements Blobs {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async put(name: BlobName, bytes: Uint8Array): Promise<void> {
    checkBlobName(name)
    checkBlobSize(bytes)
    const path = join(this.#folder, name)
    const unfinished = join(dirname(path), `${UNFINISHED}${process.pid}-${randomBytes(8).toString('hex')}`)
    try {
      await this.#makeFolder(dirname(name))
      await writeDurably(unfinished, bytes, 'wx')
      await rename(unfinished, path)
      await syncFolder(dirname(path))
    } catch (thrown) {
      await rm(unfinished, { force: true }).catch(() => {}) // Swept at the next start.
      throw this.#faultOf(thrown, name)
    }
  }

  async get(name: BlobName): Promise<Uint8Array | undefined> {
    checkBlobName(name)
    let file: FileHandle | undefined
    try {
      await this.#checkFolder(dirname(name))
      file = await open(join(this.#folder, name), constants.O_RDONLY | constants.O_NOFOLLOW)
      return (await file.stat()).isFile() ? await file.readFile() : undefined
    } catch (thrown) {
      if (isCode(thrown, 'ENOENT', 'ENOTDIR')) return undefined
      throw this.#faultOf(thrown, name)
    } finally {
      await file?.close()
    }
  }

  async list(prefix: string): Promise<{ readonly name: BlobName; readonly bytes: number }[]> {
    checkBlobPrefix(prefix)
    const within = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    const found: { name: BlobName; bytes: number }[] = []
    try {
      await this.#checkFolder(within)
      await this.#collect(within, prefix, found)
    } catch (thrown) {
      if (!isCode(thrown, 'ENOENT', 'ENOTDIR')) throw this.#faultOf(thrown, prefix)
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async remove(name: BlobName): Promise<boolean> {
    checkBlobName(name)
    const path = join(this.#folder, name)
    try {
      await this.#checkFolder(dirname(name))
      if (!(await lstat(path)).isFile()) return false
      await unlink(path)
      await syncFolder(dirname(path))
      return true
    } catch (thrown) {
      if (isCode(thrown, 'ENOENT', 'ENOTDIR')) return false
      throw this.#faultOf(thrown, name)
    }
  }

  /** `within` is empty or ends with a slash. */
  async #collect(within: string, prefix: string, found: { name: BlobName; bytes: number }[]): Promise<void> {
    for (const entry of await readdir(join(this.#folder, within), { withFileTypes: true })) {
      const name = within + entry.name
      if (entry.name.startsWith('.')) continue
      if (entry.isDirectory() && (`${name}/`.startsWith(prefix) || prefix.startsWith(`${name}/`))) {
        await this.#collect(`${name}/`, prefix, found)
      } else if (entry.isFile() && name.startsWith(prefix)) {
        const bytes = await sizeOf(join(this.#folder, name))
        if (bytes !== undefined) found.push({ name, bytes })
      }
    }
  }

  /** Makes the folders a name lies in, each durable in its own. */
  async #makeFolder(relative: string): Promise<void> {
    for (const folder of foldersOf(this.#folder, relative)) {
      try {
        await mkdir(folder, { mode: 0o700 })
        await syncFolder(dirname(folder))
      } catch (thrown) {
        if (!isCode(thrown, 'EEXIST')) throw thrown
        await checkIsFolder(folder)
      }
    }
  }

  /** Refuses to go through a symbolic link, which may lead out of the root. */
  async #checkFolder(relative: string): Promise<void> {
    for (const folder of foldersOf(this.#folder, relative)) await checkIsFolder(folder)
  }

  #faultOf(thrown: unknown, name: string): Fault {
    if (isCode(thrown, ...FULL)) return fault('disk_full', { path: this.#folder }, thrown)
    if (isCode(thrown, ...FOLDER_CLASH))
      return fault('internal', { reason: `"${name}" or a folder of it is the other kind: blob or folder` }, thrown)
    return fault('store_unavailable', { reason: reasonOf(thrown) }, thrown)
  }
}

/** Every folder from the root's first below to `relative`. */
function* foldersOf(root: string, relative: string): Generator<string> {
  let folder = root
  for (const segment of relative.split('/')) {
    if (segment === '' || segment === '.') continue
    folder = join(folder, segment)
    yield folder
  }
}

async function checkIsFolder(path: string): Promise<void> {
  const found = await lstat(path)
  if (found.isSymbolicLink()) throw new Error(`${path} is a symbolic link, and blobs are not followed through one`)
  if (!found.isDirectory()) throw Object.assign(new Error(`${path} is no folder`), { code: 'ENOTDIR' })
}

/** Undefined when it was removed meanwhile. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).size
  } catch (thrown) {
    if (isCode(thrown, 'ENOENT')) return undefined
    throw thrown
  }
}

async function sweepFolder(folder: string): Promise<void> {
  const entries: Dirent[] = await readdir(folder, { withFileTypes: true })
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await sweepFolder(path)
    else if (entry.isFile() && entry.name.startsWith(UNFINISHED)) await unlink(path)
  }
}
