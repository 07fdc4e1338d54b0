/** Named leases with fencing epochs: at most one holder at a time, and a former holder's writes
 *  can be told from the present one's because every grant has a higher epoch. */
export interface Lease {
  readonly name: string
  readonly holder: string
  /** Strictly increasing per name, never reused, also after a release. */
  readonly epoch: number
  /** In wall-clock milliseconds of the store, which is the only clock that decides. */
  readonly expiresAtMs: number
}

export interface Leases {
  /** Grants, or renews for the same holder under a new epoch; undefined while another holds it. */
  acquire(name: string, holder: string, durationMs: number): Promise<Lease | undefined>
  /** Longer, under the same epoch; undefined when it was lost. One that ran out is lost, even
   *  while nobody else has taken it. */
  renew(lease: Lease, durationMs: number): Promise<Lease | undefined>
  /** False when it was lost already. */
  release(lease: Lease): Promise<boolean>
  /** The lease that is held now. */
  read(name: string): Promise<Lease | undefined>
}
