/** Blobs: large immutable values by name. A write is whole and durable, or absent. */
export interface Blobs {
  /** Durable when resolved; replaces atomically. `bytes` must not change until then. Rejects with
   *  a `Fault` (`disk_full`, `store_unavailable`). */
  put(name: BlobName, bytes: Uint8Array): Promise<void>
  get(name: BlobName): Promise<Uint8Array | undefined>
  /** In the order of their names. The prefix may end within a segment. */
  list(prefix: string): Promise<{ readonly name: BlobName; readonly bytes: number }[]>
  /** True when there was one. */
  remove(name: BlobName): Promise<boolean>
}

/** Segments of `a-z 0-9 _ - .` joined by `/`; no segment begins with a dot. At most 256 units.
 *  No name is the folder of another: beside `a` there is no `a/b`. */
export type BlobName = string

export const isBlobName = (name: string): boolean =>
  name.length <= 256 && /^[a-z0-9_-][a-z0-9_.-]*(?:\/[a-z0-9_-][a-z0-9_.-]*)*$/.test(name)
