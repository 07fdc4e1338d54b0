import { type Bindings, unbound } from './bindings.ts'

/** Who a request is made by, after its credential was checked. Frozen. */
export interface Principal {
  /** The key's id; `local` for the owner of the data folder. */
  readonly id: string
  readonly name: string
  readonly role: Role
  /** On whose account it asks, what it may call, and whom it may ask for. */
  readonly bindings: Bindings
}

/** `admin` may do everything; `user` may call models and read collections. */
export type Role = 'admin' | 'user'

/** Whoever can open the control socket owns the data folder. */
export const LOCAL: Principal = Object.freeze({
  id: 'local',
  name: 'owner of the data folder',
  role: 'admin',
  bindings: unbound('admin'),
})
