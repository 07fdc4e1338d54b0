import { createContext, use } from 'react'
import type { Fetch } from '../api/chat.ts'

/** What a screen needs to talk to the server. */
export interface Access {
  readonly send: Fetch
  /** The session has ended meanwhile. */
  readonly onUnknown: () => void
}

export const AccessContext = createContext<Access | undefined>(undefined)

export function useAccess(): Access {
  const access = use(AccessContext)
  if (access === undefined) throw new Error('nobody is signed in above')
  return access
}
