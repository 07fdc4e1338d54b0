import { createContext, use, useSyncExternalStore } from 'react'

/** Where in the console one is: the address bar, and what the page noted beside it. */
export interface Place {
  readonly path: string
  readonly query: URLSearchParams
  readonly note: unknown
}

export class Router {
  readonly #window: Window
  readonly #listeners = new Set<() => void>()
  #place: Place

  constructor(window: Window) {
    this.#window = window
    this.#place = placeOf(window)
    window.addEventListener('popstate', () => this.#arrive())
  }

  readonly place = (): Place => this.#place

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** `note` stays with this entry of the history, also over a reload. */
  go(url: string, note: unknown = null): void {
    this.#window.history.pushState(note, '', url)
    this.#arrive()
  }

  #arrive(): void {
    this.#place = placeOf(this.#window)
    for (const listener of this.#listeners) listener()
  }
}

function placeOf({ location, history }: Window): Place {
  return {
    path: location.pathname.replace(/(?<=.)\/$/, ''),
    query: new URLSearchParams(location.search),
    note: history.state,
  }
}

export const RouterContext = createContext<Router | undefined>(undefined)

export function useRouter(): Router {
  const router = use(RouterContext)
  if (router === undefined) throw new Error('no router above')
  return router
}

export function usePlace(): Place {
  const router = useRouter()
  return useSyncExternalStore(router.subscribe, router.place)
}
