import { mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Fault, fault, reasonOf } from '../../base/errors.ts'
import type { SubjectKeys } from '../../store/subject-keys.ts'

/** Wrapped keys as files of their own, so that each can be destroyed by itself: overwritten in place and
 *  removed. A file system that copies on write, or a disk that spreads its writes, may keep the old block;
 *  then what is left is a key that only the master key opens. */
export class FileSubjectKeys implements SubjectKeys {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return await this.#named(name, async (path) => {
      try {
        return await readFile(path)
      } catch (thrown) {
        if (isAbsent(thrown)) return undefined
        throw thrown
      }
    })
  }

  async write(name: string, wrapped: Uint8Array): Promise<void> {
    await this.#named(name, async (path) => {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      const draft = `${path}.new`
      await withFile(draft, 'w', async (file) => {
        await file.writeFile(wrapped)
        await file.sync()
      })
      await rename(draft, path)
      await this.#sync()
    })
  }

  async destroy(name: string): Promise<boolean> {
    return await this.#named(name, async (path) => {
      try {
        await withFile(path, 'r+', async (file) => {
          const { size } = await file.stat()
          await file.write(new Uint8Array(size), 0, size, 0)
          await file.sync()
        })
        await unlink(path)
      } catch (thrown) {
        if (isAbsent(thrown)) return false
        throw thrown
      }
      await this.#sync()
      return true
    })
  }

  async list(prefix: string): Promise<string[]> {
    try {
      return (await readdir(this.#folder)).filter((name) => name.startsWith(prefix) && !name.endsWith('.new'))
    } catch (thrown) {
      if (isAbsent(thrown)) return []
      throw this.#unusable(thrown)
    }
  }

  async #named<Value>(name: string, use: (path: string) => Promise<Value>): Promise<Value> {
    try {
      return await use(join(this.#folder, name))
    } catch (thrown) {
      throw this.#unusable(thrown)
    }
  }

  #unusable(thrown: unknown): Fault {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOSPC')
      return fault('disk_full', { path: this.#folder }, thrown)
    return fault('data_unusable', { path: this.#folder, reason: reasonOf(thrown) }, thrown)
  }

  async #sync(): Promise<void> {
    await withFile(this.#folder, 'r', (folder) => folder.sync())
  }
}

const isAbsent = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT'

async function withFile(
  path: string,
  flags: 'r' | 'r+' | 'w',
  use: (file: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags, 0o600)
  try {
    await use(file)
  } finally {
    await file.close()
  }
}
