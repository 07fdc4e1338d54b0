/** Who a request is made by, after its credential was checked. */
export interface Principal {
  /** The key's id; `local` for the owner of the data folder. */
  readonly id: string
  readonly name: string
  readonly role: Role
}

/** `admin` may do everything; `user` may call models and read collections. */
export type Role = 'admin' | 'user'

/** Whoever can open the control socket owns the data folder. */
export const LOCAL: Principal = { id: 'local', name: 'owner of the data folder', role: 'admin' }
