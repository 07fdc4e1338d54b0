/** Wrapped keys of subjects, one to a name (`a-z 0-9 .`): apart from what they open, so that one can be destroyed
 *  and no copy of the rest opens any more. Each rejects with a `Fault` (`data_unusable`, `disk_full`). */
export interface SubjectKeys {
  read(name: string): Promise<Uint8Array | undefined>
  /** Durable when resolved. */
  write(name: string, wrapped: Uint8Array): Promise<void>
  /** Overwritten and removed, durably, when resolved; true where there was one. */
  destroy(name: string): Promise<boolean>
  list(prefix: string): Promise<string[]>
}
