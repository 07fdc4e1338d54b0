import { fault } from '../../base/errors.ts'
import type { BlobName, Blobs } from '../../store/blobs.ts'
import { checkBlobName, checkBlobPrefix, checkBlobSize } from '../../store/bounds.ts'

export class MemoryBlobs implements Blobs {
  readonly #blobs = new Map<BlobName, Uint8Array>()

  async put(name: BlobName, bytes: Uint8Array): Promise<void> {
    checkBlobName(name)
    checkBlobSize(bytes)
    for (const other of this.#blobs.keys()) {
      if (other.startsWith(`${name}/`) || name.startsWith(`${other}/`)) {
        throw fault('internal', { reason: `of "${name}" and "${other}" one would be the folder of the other` })
      }
    }
    this.#blobs.set(name, Uint8Array.from(bytes))
  }

  async get(name: BlobName): Promise<Uint8Array | undefined> {
    checkBlobName(name)
    const bytes = this.#blobs.get(name)
    return bytes && Uint8Array.from(bytes)
  }

  async list(prefix: string): Promise<{ readonly name: BlobName; readonly bytes: number }[]> {
    checkBlobPrefix(prefix)
    const names = [...this.#blobs.keys()].filter((name) => name.startsWith(prefix)).sort()
    return names.map((name) => ({ name, bytes: this.#blobs.get(name)?.length ?? 0 }))
  }

  async remove(name: BlobName): Promise<boolean> {
    checkBlobName(name)
    return this.#blobs.delete(name)
  }
}
